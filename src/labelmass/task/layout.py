"""The layout of a prompt: what stands where, as turns of a chat or as one plain text."""

from __future__ import annotations

from collections.abc import Iterable

from labelmass.task.prompt import Part, Turn
from labelmass.task.record import join

Parts = tuple[Part, ...]
Block = tuple[Parts, Part]
"""A demonstration: its record and its answer."""

_BETWEEN = Part("\n\n", trusted=True)


def chat_turns(
    system: Parts, instruction: Parts, blocks: Iterable[Block], question_text: Parts
) -> tuple[Turn, ...]:
    """A system turn if there is one, a turn and its answer per block, and the turn to be answered.

    The instruction stands at the head of the first user turn.
    """
    turns = [Turn("system", system)] if system else []
    head = instruction
    for record, answer in blocks:
        turns += [Turn("user", under(head, record)), Turn("assistant", (answer,))]
        head = ()
    turns.append(Turn("user", under(head, question_text)))
    return tuple(turns)


def plain_turn(
    system: Parts,
    instruction: Parts,
    blocks: Iterable[Block],
    question_text: Parts,
    cue: Part,
    between: Part,
) -> tuple[Turn, ...]:
    """All of it as one text: `between` parts the blocks, `cue` stands before every answer."""
    parts: list[Part] = []
    for head in (system, instruction):
        parts += [*head, between] if head else []
    for record, answer in blocks:
        parts += [*record, cue, answer, between]
    return (Turn("user", join([*parts, *question_text, cue])),)


def under(head: Parts, parts: Parts) -> Parts:
    """`parts` below `head`, a blank line between them if there are both."""
    return join((*head, _BETWEEN, *parts)) if head and parts else head or parts
