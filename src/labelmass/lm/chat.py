"""Prompts through a chat template, with outside text kept apart from structure.

A template is run with a stand-in for every untrusted part, and the parts are put back into what
it wrote. No text from outside passes through the template, so none can steer it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from labelmass.errors import ModelError
from labelmass.task.prompt import Part, Turn

FIRST = 0xF0000
"""The stand-ins are characters of a private-use plane, from here on."""

STAND_INS = re.compile(r"[\U000F0000-\U000FFFFD]")
TODAY = datetime(2024, 7, 26)
"""The date for templates that print one: the same record must always give the same prompt."""


class ChatTemplate:
    """A tokenizer's chat template.

    apply: renders messages, each a dictionary of role and content, up to the answer.
    """

    def __init__(self, apply: Callable[[list[dict[str, str]]], str]) -> None:
        self._apply = apply

    @classmethod
    def of(cls, tokenizer: Any) -> ChatTemplate:
        """The chat template of a transformers tokenizer, asking for an answer without thinking."""

        def apply(messages: list[dict[str, str]]) -> str:
            return tokenizer.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=False,
                strftime_now=TODAY.strftime,
            )

        return cls(apply)

    def render(self, turns: Sequence[Turn]) -> list[Part]:
        """What the model reads, as parts. Raises ModelError with the template's own words."""
        rendered = self._try(turns)
        if isinstance(rendered, Exception) and any(turn.role == "system" for turn in turns):
            folded = self._try(fold(turns))
            rendered = rendered if isinstance(folded, Exception) else folded
        if isinstance(rendered, Exception):
            raise ModelError(f"the model's chat template: {rendered}") from rendered
        return rendered

    def _try(self, turns: Sequence[Turn]) -> list[Part] | Exception:
        """The parts, or why the template would not have these turns."""
        texts: list[str] = []
        messages: list[dict[str, str]] = []
        for turn in turns:
            content = ""
            for part in self._trimmed(turn).parts:
                if part.trusted:
                    content += STAND_INS.sub("\ufffd", part.text)
                elif part.text:
                    content += chr(FIRST + len(texts))
                    texts.append(part.text)
            messages.append({"role": turn.role, "content": content})
        try:
            rendered = self._apply(messages)
        except Exception as error:
            return error
        left_out = [m["role"] for m in messages if m["content"].strip() not in rendered]
        if left_out:
            return ValueError(f"it leaves out what the {left_out[0]} says")
        parts: list[Part] = []
        for piece in re.split(f"({STAND_INS.pattern})", rendered):
            outside = STAND_INS.fullmatch(piece)
            parts.append(Part(texts[ord(piece) - FIRST]) if outside else Part(piece, trusted=True))
        return [part for part in parts if part.text]

    def _trimmed(self, turn: Turn) -> Turn:
        """The turn without the blanks at its ends, where the template takes them off."""
        if not self._trims:
            return turn
        parts = [part for part in turn.parts if part.text]
        while parts:
            parts[0] = replace(parts[0], text=parts[0].text.lstrip())
            if parts[0].text:
                break
            del parts[0]
        while parts:
            parts[-1] = replace(parts[-1], text=parts[-1].text.rstrip())
            if parts[-1].text:
                break
            del parts[-1]
        return replace(turn, parts=tuple(parts))

    @cached_property
    def _trims(self) -> bool:
        """Whether the template takes off blanks at the ends of what the user says."""
        probe = "\n probe \n"
        try:
            return probe not in self._apply([{"role": "user", "content": probe}])
        except Exception:
            return False


def fold(turns: Sequence[Turn]) -> list[Turn]:
    """System text moved into the first user turn, a blank line between."""
    system = [part for turn in turns if turn.role == "system" for part in turn.parts]
    others = [turn for turn in turns if turn.role != "system"]
    for index, turn in enumerate(others):
        if turn.role == "user":
            parts = (*system, Part("\n\n", trusted=True), *turn.parts)
            others[index] = Turn("user", parts)
            return others
    return [Turn("user", tuple(system)), *others]
