"""Prompts through a chat template, with outside text kept apart from structure.

A template is run with a stand-in for every untrusted part, and the parts are put back into what
it wrote. No text from outside passes through the template, so none can steer it; only the blanks
at the ends of a part do, for a template may take those off.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, cast

from labelmass.errors import ModelError
from labelmass.task.prompt import Part, TemplateCall, Turn

FIRST = 0xF0000
"""The stand-ins are characters of a private-use plane, from here on."""

STAND_INS = re.compile(r"[\U000F0000-\U000FFFFD]")
TODAY = datetime(2024, 7, 26)
"""The date for templates that print one: the same record must always give the same prompt."""

MARK = "_labelmass_part"
"""A key, and its value, of every part that a template is given: who shows it shows the list."""

CALL = TemplateCall()
"""A template called as for any model."""

SAID = "Indeed it is."
"""Text of the assistant's turn in a sample."""

WAY_OUT = "set chat = false in the task to ask in plain text"

OTHER_TURNS = "give it the turns that it takes, as a rule a user's and an assistant's by turns"

MAX_RENDERED = 10_000_000
"""Characters that a template may write, beyond which it is not read."""

Message = dict[str, Any]
Apply = Callable[[list[Message], Mapping[str, Any]], str]


def apply_template(
    tokenizer: Any,
    messages: list[Message],
    arguments: Mapping[str, Any] | None = None,
    *,
    tokenize: bool = False,
    answered: bool = False,
) -> Any:
    """Apply a transformers tokenizer's template to messages, up to an answer without thinking.

    arguments: further ones of the template. tokenize: its ids, in place of text. answered: the last
    message is the answer, as it ends.
    """
    return tokenizer.apply_chat_template(
        messages,
        tokenize=tokenize,
        return_dict=False,
        add_generation_prompt=not answered,
        **{"enable_thinking": False, "strftime_now": TODAY.strftime} | dict(arguments or {}),
    )


class ChatTemplate:
    """A tokenizer's chat template.

    apply: renders messages up to the answer; each is a dictionary of role and content, the content
    a text or a list of parts of type text.
    """

    def __init__(self, apply: Apply) -> None:
        self._apply = apply

    @classmethod
    def of(cls, tokenizer: Any, **options: Any) -> ChatTemplate:
        """The chat template of a transformers tokenizer; options: see `apply_template`."""
        return cls(
            lambda messages, arguments: apply_template(tokenizer, messages, arguments, **options)
        )

    def render(self, turns: Sequence[Turn], call: TemplateCall = CALL) -> list[Part]:
        """Rendered prompt, as parts.

        Content is given as text, or as a list of parts where the template wants that; system text
        goes to the first user turn where the template refuses it.

        Raises ModelError with the template's own words, and the way out.
        """
        return self._fitting(turns, call)[0]

    def messages(self, turns: Sequence[Turn]) -> list[Message]:
        """The messages that the template takes for these turns, nothing standing in for any text.

        Raises ModelError as `render` does.
        """
        _, form = self._fitting(turns, CALL)
        return form.messages([turn.text for turn in form.turns])

    def _fitting(self, turns: Sequence[Turn], call: TemplateCall) -> tuple[list[Part], Form]:
        """The turns rendered in the first form that the template takes."""
        errors: list[Exception] = []
        for form in forms(turns, call):
            try:
                return self._render(form, call), form
            except Exception as error:  # a template raises what it likes
                errors.append(error)
        first, cure = errors[0], WAY_OUT if call.folds else OTHER_TURNS
        raise ModelError(f"the model's chat template: {first}; {cure}") from first

    def _render(self, form: Form, call: TemplateCall) -> list[Part]:
        texts: list[str] = []
        contents = ["".join(_stood_in(part, texts) for part in turn.parts) for turn in form.turns]
        arguments = {name: _filled(value, texts) for name, value in call.arguments}
        rendered = self._apply(form.messages(contents), arguments)
        if len(rendered) > MAX_RENDERED:
            raise ValueError(f"it writes more than {MAX_RENDERED} characters")
        if form.listed and MARK in rendered:
            raise ValueError("it writes a list of parts as it stands")
        for turn, content in zip(form.turns, contents, strict=True):
            if content.strip() not in rendered:
                raise ValueError(f"it leaves out what the {turn.role} says")
        parts: list[Part] = []
        for piece in re.split(f"({STAND_INS.pattern})", rendered):
            outside = STAND_INS.fullmatch(piece)
            parts.append(Part(texts[ord(piece) - FIRST]) if outside else Part(piece, trusted=True))
        return [part for part in parts if part.text]


def _stood_in(part: Part, texts: list[str]) -> str:
    """The text of a part, an untrusted one as a stand-in whose text is appended to `texts`."""
    text = part.text.strip()
    if part.trusted or not text:
        return STAND_INS.sub("\ufffd", part.text)
    start = part.text.index(text)
    stand_in = chr(FIRST + len(texts))
    texts.append(text)
    return part.text[:start] + stand_in + part.text[start + len(text) :]


def _filled(value: Any, texts: list[str]) -> Any:
    """A template's argument with stand-ins for its parts."""
    if isinstance(value, Part):
        return _stood_in(value, texts)
    if isinstance(value, Mapping):
        table = cast("Mapping[str, Any]", value)
        return {key: _filled(one, texts) for key, one in table.items()}
    if isinstance(value, list | tuple):
        return [_filled(one, texts) for one in cast("Sequence[Any]", value)]
    return value


@dataclass(frozen=True, slots=True)
class Form:
    """A way to put turns to a template.

    listed: whether the content of a message is a list of parts, in place of a text.
    """

    turns: Sequence[Turn]
    listed: bool

    def messages(self, contents: Sequence[str]) -> list[Message]:
        """One message a turn, with these contents."""
        return [
            {
                "role": turn.role,
                "content": [{"type": "text", "text": content, MARK: MARK}]
                if self.listed
                else content,
            }
            for turn, content in zip(self.turns, contents, strict=True)
        ]


def forms(turns: Sequence[Turn], call: TemplateCall = CALL) -> Iterator[Form]:
    """The ways to put turns to a template, the plainest first."""
    some = [turns]
    if call.folds and any(turn.role == "system" for turn in turns):
        some.append(fold(turns))
    for each in some:
        if call.content != "parts":
            yield Form(each, listed=False)
        if call.content != "text":
            yield Form(each, listed=True)


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


def samples(tokenizer: Any) -> list[list[Part]]:
    """Short conversations as a tokenizer's template writes them, as far as it takes them.

    What the assistant says is one untrusted part, `SAID`.
    """
    said = {"system": "Be brief.", "user": "Is it?", "assistant": SAID}
    results: list[list[Part]] = []
    for roles, answered in (
        (("system", "user", "assistant", "user"), False),
        (("user", "assistant"), True),
        (("user",), False),
    ):
        template = ChatTemplate.of(tokenizer, answered=answered)
        with contextlib.suppress(ModelError):
            results.append(template.render([Turn(role, (Part(said[role]),)) for role in roles]))
    return results


def closings(sample: Sequence[Part]) -> Iterator[str]:
    """Texts that a sample's template writes after an assistant message, up to the next one."""
    for start, part in enumerate(sample, start=1):
        if not part.trusted and part.text == SAID:
            rest = takewhile(lambda after: after.trusted, sample[start:])
            yield "".join(after.text for after in rest)
