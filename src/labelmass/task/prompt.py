"""A prompt as parts that know whether they may carry structure.

The task writes prompts; a tokenizer turns them into ids. Text that came from outside (a record, a
label name, a demonstration) is untrusted: whatever it spells, it is encoded as plain text.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A run of prompt text; `trusted` text may hold control tokens, other text never does."""

    text: str
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation: `role` is system, user or assistant."""

    role: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything the model reads before it writes.

    turns: the conversation, last turn the one to be answered.
    opening: the first bytes of the answer, given to the model rather than left for it to write.
    chat: render with the model's chat template; otherwise the turns are joined as plain text,
        as they stand, and BOS is added where the model expects one.
    """

    turns: tuple[Turn, ...]
    opening: str = ""
    chat: bool = True
