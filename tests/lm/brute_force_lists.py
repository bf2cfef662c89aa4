"""The slow and certain reading of a list of labels, and brute force over a model that writes one.

Nothing here knows of automata, tries or trees: texts are cut at their commas, and every prefix
of an answer is one full forward pass.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lm.full_passes import full_row

RARE = 1e-7
"""Tokens below this probability are not looked at: what they write is open."""

EMPTY = b"-"
"""What the empty answer is called among the labels that an answer has written."""


@dataclass(frozen=True)
class Listing:
    """A format: opening, items in quotation marks or not, commas, closing or stop text.

    labels: what each way of writing a label stands for. Blanks are read at the joints: before and
    after the opening, around commas, before the end.
    """

    labels: Mapping[bytes, bytes]
    none: bytes = b"none"
    opening: bytes = b""
    quote: bytes = b""
    closing: bytes = b""
    stop: bytes = b""

    def read(self, text: bytes) -> State | None:
        """How a text stands; None where no answer begins so."""
        text = text.lstrip(b" ")
        if len(text) < len(self.opening):
            return State() if self.opening.startswith(text) else None
        if not text.startswith(self.opening):
            return None
        mark, body, done = self.closing or self.stop, text[len(self.opening) :], b""
        if mark:
            body, done, _ = body.partition(mark)
        *before, last = body.split(b",")
        written = [self._label(piece) for piece in before]
        if None in written or EMPTY in written:
            return None
        found = frozenset(label for label in written if label is not None)
        whole = self._label(last, alone=not before)
        if done:
            return None if whole is None else State(found | {whole}, done=True)
        if whole is not None:
            return State(found, ends=not self.closing, at_end=found | {whole})
        for length in range(1, len(mark)):
            if last.endswith(mark[:length]):
                whole = self._label(last[:-length], alone=not before)
                if whole is not None:  # a label is settled, an empty answer is over at its end
                    return State(found | ({whole} - {EMPTY}))
        begun = last.lstrip(b" ")
        forms = [self.quote + label + self.quote for label in self.labels]
        if not before:
            forms.append(self.none)
        return State(found) if any(form.startswith(begun) for form in forms) else None

    def _label(self, piece: bytes, *, alone: bool = False) -> bytes | None:
        """The label that stands between two commas; None if that is none."""
        piece = piece.strip(b" ")
        if alone and piece == self.none:
            return EMPTY
        bare = piece.removeprefix(self.quote).removesuffix(self.quote)
        whole = piece == self.quote + bare + self.quote
        return self.labels.get(bare) if whole else None


@dataclass(frozen=True)
class State:
    """written: labels that a boundary has settled. done: nothing more is read. ends: the answer may
    end here, and has then written `at_end`."""

    written: frozenset[bytes] = frozenset()
    done: bool = False
    ends: bool = False
    at_end: frozenset[bytes] = frozenset()


@dataclass
class Masses:
    """By label, the mass on which it was written, and that on which it still may be; what left."""

    found: dict[bytes, float] = field(default_factory=dict)
    open: dict[bytes, float] = field(default_factory=dict)
    off: float = 0.0


def enumerate_listing(
    model: Any,
    prompt: Sequence[int],
    texts: Sequence[bytes | None],
    ends: frozenset[int],
    listing: Listing,
    *,
    given: bytes = b"",
    passes: int,
) -> Masses:
    """Masses of the heaviest prefixes, one full pass each.

    given: the beginning of the answer that the prompt holds.
    """
    every = (*dict.fromkeys(listing.labels.values()), EMPTY)
    masses = Masses(dict.fromkeys(every, 0.0), dict.fromkeys(every, 0.0))
    heap: list[tuple[float, tuple[int, ...], bytes, frozenset[bytes]]] = [
        (-1.0, (), given, frozenset())
    ]

    def book(labels: frozenset[bytes], before: frozenset[bytes], mass: float) -> None:
        for label in labels - before:
            masses.found[label] += mass

    for _ in range(passes):
        if not heap:
            break
        weight, path, text, written = heapq.heappop(heap)
        row = np.exp(full_row(model, [*prompt, *path], len(texts)))
        here, left = listing.read(text), float(row[row > RARE].sum())
        assert here is not None
        for label in set(every) - written:
            masses.open[label] -= weight * float(row[row <= RARE].sum())
        for token in np.flatnonzero(row > RARE).tolist():
            mass = -weight * float(row[token])
            if token in ends:
                if here.ends:
                    book(here.at_end, written, mass)
                    left -= row[token]
                continue
            state = listing.read(text + texts[token]) if texts[token] else None
            if state is None:
                continue
            left -= row[token]
            book(state.written, written, mass)
            if not state.done:
                both = written | state.written
                heapq.heappush(heap, (-mass, (*path, token), text + texts[token], both))
        masses.off += -weight * left
    for weight, _, _, written in heap:
        for label in set(every) - written:
            masses.open[label] -= weight
    return masses
