"""Label marginals: P(label), P(set), P(number of labels) and pairs, with bounds, from a tree.

Each is a sum of masses in float64: what was found, and what is still open.
Formulas: docs/formulas.md#bounds, #normalisations and #sets-counts-and-pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Bools, Floats, Normalisation
from labelmass.answers.tree import AnswerTree, Status


@dataclass(frozen=True, slots=True)
class Bounds:
    """low <= exact <= high, and the number to quote; None where there is nothing to divide by.

    Attributes:
        quoted: True if there is a number to quote; the interval may stand alone.
    """

    low: float | None
    high: float | None
    point: float | None = None
    quoted: bool = True

    @property
    def p(self) -> float | None:
        """The point if a rule gave one, with or without an interval; else the midpoint."""
        if self.point is not None or not self.quoted:
            return self.point
        return None if self.low is None or self.high is None else (self.low + self.high) / 2

    @property
    def width(self) -> float | None:
        """High less low; None where there is no interval."""
        return None if self.low is None or self.high is None else self.high - self.low

    def within(self, width: float) -> Bounds:
        """The same, with a number to quote only where the interval is no wider than this."""
        wide = self.width is not None and self.width > width
        return Bounds(self.low, self.high, quoted=False) if wide else self

    def __str__(self) -> str:
        interval = "" if self.width is None else f" [{self.low:.4f}, {self.high:.4f}]"
        return ("null" if self.p is None else f"{self.p:.4f}") + interval

    def to_dict(self) -> dict[str, float | None]:
        return {"p": self.p, "low": self.low, "high": self.high}


NOTHING = Bounds(None, None)


@dataclass(frozen=True)
class Marginals:
    """A tree under one normalisation.

    Attributes:
        off_format_unknown: Count mass on which a label was not written as open for it where the
            answer left the format (raw only) or cannot be read on behind a risk verdict, instead of
            as 'not written'.
    """

    tree: AnswerTree
    normalisation: Normalisation = Normalisation.RAW
    off_format_unknown: bool = False
    _width: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_width", self.tree.width)

    # -- masses ---------------------------------------------------------------------------------

    @cached_property
    def mass(self) -> Floats:
        """(n,) mass of every node."""
        return np.exp(self.tree.log_mass(self.normalisation))

    @cached_property
    def _status(self) -> NDArray[np.int64]:
        return np.array(self.tree.status, dtype=np.int64)

    @cached_property
    def written(self) -> Bools:
        """(n, width) what each node has written."""
        return _bits(self.tree.written, self._width)

    @cached_property
    def _new(self) -> Bools:
        return self._newly(self.written)

    @cached_property
    def _aggregates(self) -> tuple[NDArray[np.int64], Floats]:
        """Open mass as (nodes, masses): the frontier, and the tails of expanded nodes."""
        frontier = np.flatnonzero(self._status == Status.FRONTIER)
        tails = [(n, p) for n, p in self.tree.tail.items() if p > 0]
        nodes = np.concatenate([frontier, np.array([n for n, _ in tails], dtype=np.int64)])
        share = np.array([p for _, p in tails], dtype=np.float64)
        held = self.mass[[n for n, _ in tails]] * share
        if self.normalisation is Normalisation.MASKED and len(tails):
            allowed = self.tree.allowed()[[n for n, _ in tails]]
            held = np.divide(held, allowed, out=np.zeros_like(held), where=held > 0)
        return nodes, np.concatenate([self.mass[frontier], held])

    @cached_property
    def _open_mass(self) -> Floats:
        return self._aggregates[1]

    @cached_property
    def _open_written(self) -> Bools:
        return self.written[self._aggregates[0]]

    @cached_property
    def _open_reachable(self) -> Bools:
        reachable = _bits([self.tree.reachable[n] for n in self._aggregates[0]], self._width)
        return reachable & ~self._open_written

    @cached_property
    def _ended(self) -> NDArray[np.int64]:
        """Complete answers, without those that cannot be read to their end."""
        return np.flatnonzero((self._status == Status.ENDED) & ~self.written[:, self._unreadable])

    @cached_property
    def _cannot_read(self) -> NDArray[np.int64]:
        """Answers that left the format behind a risk verdict."""
        return np.flatnonzero((self._status == Status.ENDED) & self.written[:, self._unreadable])

    @property
    def _unreadable(self) -> int:
        return self.tree.unreadable

    @cached_property
    def _off(self) -> tuple[NDArray[np.int64], Floats]:
        nodes = np.array(list(self.tree.off), dtype=np.int64)
        if self.normalisation is Normalisation.MASKED:  # where the format allows nothing
            left = {self.tree.parent[node] for node in self._cannot_read.tolist()}
            dead = self.tree.allowed()[nodes] <= 0
            nodes = np.array([n for n in nodes[dead].tolist() if n not in left], dtype=np.int64)
            return nodes, self.mass[nodes]
        return nodes, self.mass[nodes] * np.array(list(self.tree.off.values()), dtype=np.float64)

    @property
    def ended(self) -> float:
        """Mass of complete answers found that can be read to their end."""
        return float(self.mass[self._ended].sum())

    @property
    def off_format(self) -> float:
        """Mass found to leave the format; when masked, where the format allows nothing.

        In a format with a verdict, before any verdict.
        """
        return float(self._off[1].sum())

    @property
    def off_format_after_label(self) -> float:
        """Mass that leaves the format after the text of a label; 0 where masked.

        Behind a risk verdict there is none: that is `unreadable`.
        """
        if self.normalisation is Normalisation.MASKED:
            return 0.0
        return float(sum(self.mass[node] * share for node, share in self.tree.after.items()))

    @property
    def unreadable(self) -> float:
        """Mass on which a risk verdict is written and the rest cannot be read."""
        return float(self.mass[self._cannot_read].sum())

    @property
    def unexplored(self) -> float:
        """Mass not looked at: frontier and tails.

        ended + off_format + unreadable + unexplored = 1.
        """
        return float(self._open_mass.sum())

    # -- labels ---------------------------------------------------------------------------------

    @cached_property
    def intervals(self) -> tuple[Floats, Floats]:
        """(width,) low and high of the labels, the empty answer, the verdict prefix, `unreadable`,
        and the values of a format of fields.

        NaN where there is nothing to divide by.
        """
        if self.normalisation is Normalisation.ON_FORMAT:
            return self._on_verdict() if self.tree.has_verdict_prefix else self._on_format()
        low = self._found
        undecided = self._open_mass @ self._open_reachable
        empty = self.tree.empty
        undecided[empty] += self._open_mass @ self._open_written[:, empty]
        high = low + undecided + self._unknown
        if self.off_format_unknown and self.normalisation is Normalisation.RAW:
            nodes, masses = self._off
            high = high + masses @ ~self.written[nodes]
        return low, np.minimum(high, 1.0)

    @cached_property
    def _found(self) -> Floats:
        """(width,) mass on which each output is written."""
        result = self.mass @ self._new
        empty = self.tree.empty  # an answer as a whole, not something written on the way to one
        result[empty] = self.mass[self._ended] @ self.written[self._ended, empty]
        return result

    @cached_property
    def _unknown(self) -> Floats:
        """(width,) what could not be read, and may have held the label, where that is asked for."""
        unknown = np.zeros(self._width)
        if self.off_format_unknown:
            k, nodes = len(self.tree.labels), self._cannot_read
            unknown[:k] = self.mass[nodes] @ ~self.written[nodes, :k]
        return unknown

    def _on_format(self) -> tuple[Floats, Floats]:
        """Given that the answer parses."""
        ended, mass = self._ended, self._open_mass
        with_l = self.mass[ended] @ self.written[ended]
        can = mass @ (self._open_written | self._open_reachable)
        avoid = mass @ ~self._open_written
        return _ratio(with_l, self.ended, can, avoid)

    def _on_verdict(self) -> tuple[Floats, Floats]:
        """Given that a verdict can be read: where a risk is written, whatever follows it."""
        hit, empty, verdict_prefix = self._read, self.tree.empty, self.tree.verdict_prefix
        before, written, reachable = (
            self._before_verdict,
            self._open_written,
            self._open_reachable,
        )
        can = before @ (reachable | written)  # what is written has yet to be read to the end
        inside = (self._open_mass - before) @ reachable
        avoid = before @ ~written
        avoid[empty], avoid[verdict_prefix] = can[verdict_prefix], can[empty]
        return _ratio(hit, self._readable, can, avoid, inside + self._unknown)

    @cached_property
    def _read(self) -> Floats:
        """(width,) mass on which each output is written and a verdict can be read."""
        risk = self.written[:, [self.tree.verdict_prefix]]
        no_risk = self._ended[~risk[self._ended, 0]]
        return (
            self.mass @ self._newly(self.written & risk)
            + self.mass[no_risk] @ self.written[no_risk]
        )

    def _newly(self, event: Bools) -> Bools:
        """Nodes at which an event, (n, ...), that lasts has just come about."""
        parents = np.array(self.tree.parent, dtype=np.int64)
        before = event[parents]
        before[0] = False
        return event & ~before

    @cached_property
    def _before_verdict(self) -> Floats:
        """Open mass where no risk verdict is written yet, and 0 where one is."""
        return np.where(self._open_written[:, self.tree.verdict_prefix], 0.0, self._open_mass)

    @property
    def _readable(self) -> float:
        """Mass whose verdict can be read: complete answers without a risk, and those with one."""
        no_risk = ~self.written[self._ended, self.tree.verdict_prefix]
        return float(self.mass[self._ended] @ no_risk + self._found[self.tree.verdict_prefix])

    def label(self, output: int) -> Bounds:
        """P(label is written); `tree.empty`, `verdict_prefix` and `unreadable` are outputs too."""
        low, high = self.intervals
        return _bounds(low[output], high[output])

    @property
    def empty(self) -> Bounds | None:
        """P(the empty answer); None if the format has none."""
        return self.label(self.tree.empty) if self.tree.has_empty else None

    @property
    def verdict_prefix(self) -> Bounds | None:
        """P(a risk verdict is written); None if the format has no verdict."""
        return self.label(self.tree.verdict_prefix) if self.tree.has_verdict_prefix else None

    @property
    def verdict(self) -> Bounds | None:
        """P(a verdict of either kind is given); None if the format has none."""
        if not self.tree.has_verdict_prefix:
            return None
        if self.normalisation is Normalisation.ON_FORMAT:  # that is what it is given
            return (
                Bounds(1.0, 1.0)
                if self.label(self.tree.verdict_prefix).low is not None
                else NOTHING
            )
        low = min(self._readable, 1.0)
        return Bounds(low, min(low + float(self._before_verdict.sum()), 1.0))

    def values(self) -> dict[str, Bounds]:
        """P(value is written) for every value of a format of fields, by name."""
        first = self.tree.unreadable + 1
        return {name: self.label(first + at) for at, name in enumerate(self.tree.values)}

    def given_risk(self) -> dict[str, Bounds]:
        """P(label is written, given a risk verdict), by label; the same in every normalisation."""
        risk, labels = self.tree.verdict_prefix, self.tree.labels
        both = self.written & self.written[:, [risk]]
        hit, verdict = self.mass @ self._newly(both), float(self._found[risk])
        before, may = self._before_verdict, self._open_reachable[:, risk]
        can = (before * may) @ (self._open_written | self._open_reachable)
        inside = (self._open_mass - before) @ self._open_reachable
        avoid = np.full_like(hit, float(before @ may))
        low, high = _ratio(hit, verdict, can, avoid, inside + self._unknown)
        return {label: _bounds(low[at], high[at]) for at, label in enumerate(labels)}

    def pair(self, label: int, other: int) -> Bounds:
        """P(both labels are written)."""
        both = self.written[:, label] & self.written[:, other]
        undecided = (self._open_written | self._open_reachable)[:, [label, other]].all(axis=1)
        sure = self._open_written[:, [label, other]].all(axis=1)
        new = both & (self._new[:, label] | self._new[:, other])
        if self.normalisation is not Normalisation.ON_FORMAT:
            low = float(self.mass @ new)
            return _bounds(low, min(low + float(self._open_mass @ (undecided > sure)), 1.0))
        if self.tree.has_verdict_prefix:
            risk = self.written[:, self.tree.verdict_prefix]
            ended = both[self._ended] & ~risk[self._ended]
            read = self.mass @ self._newly(both & risk) + self.mass[self._ended] @ ended
            before = self._before_verdict > 0
            return self._given_verdict(float(read), undecided & (before | ~sure))
        hit = float(self.mass[self._ended] @ both[self._ended])
        can, avoid = self._open_mass @ undecided, self._open_mass @ ~sure
        return _share(hit, self.ended, float(can), float(avoid))

    def _given_verdict(self, hit: float, may: Bools) -> Bounds:
        """On-format bounds of an event found with mass `hit` that open mass may still bring."""
        before = self._before_verdict
        can, inside = float(before @ may), float((self._open_mass - before) @ may)
        return _share(hit, self._readable, can, float(before.sum()), inside)

    # -- complete answers -----------------------------------------------------------------------

    def answers(
        self, hit: Callable[[Bools], Bools], can: Callable[[Bools, Bools], Bools]
    ) -> Bounds:
        """P(a complete answer, read to its end, whose written labels satisfy `hit`).

        Args:
            hit: (m, k) written labels -> (m,).
            can: Written and still possible labels of open nodes -> whether an answer below may
                satisfy `hit`.
        """
        k = len(self.tree.labels)
        result = float(self.mass[self._ended] @ hit(self.written[self._ended, :k]))
        may = can(self._open_written[:, :k], self._open_reachable[:, :k])
        if self.normalisation is not Normalisation.ON_FORMAT:
            return _bounds(result, min(result + float(self._open_mass @ may), 1.0))
        if self.tree.has_verdict_prefix:
            return self._given_verdict(result, may)
        return _share(result, self.ended, float(self._open_mass @ may), self.unexplored)

    def label_set(self, members: frozenset[int]) -> Bounds:
        """P(the answer holds exactly these labels)."""
        row = np.array([i in members for i in range(len(self.tree.labels))], dtype=bool)

        def possible(written: Bools, reachable: Bools) -> Bools:
            inside = ~(written & ~row).any(axis=1)
            return inside & ~(row & ~(written | reachable)).any(axis=1) & self._may_end(members)

        return self.answers(lambda w: (w == row).all(axis=1), possible)

    def _may_end(self, members: frozenset[int]) -> Bools:
        """Open nodes that can still become an answer with no label, where that is asked for."""
        if members:
            return np.ones(len(self._open_mass), dtype=bool)
        empty = self.tree.empty  # it may be written before the answer's last byte
        return self._open_reachable[:, empty] | self._open_written[:, empty]

    def sets(self, limit: int = 8) -> list[tuple[frozenset[int], Bounds]]:
        """The likeliest label sets found, likeliest first."""
        results: dict[frozenset[int], float] = {}
        k = len(self.tree.labels)
        for node in self._ended.tolist():
            members = frozenset(np.flatnonzero(self.written[node, :k]).tolist())
            results[members] = results.get(members, 0.0) + float(self.mass[node])
        ranked = sorted(results, key=lambda s: (-results[s], sorted(s)))[:limit]
        return [(members, self.label_set(members)) for members in ranked]

    def count(self, number: int) -> Bounds:
        """P(the answer holds exactly `number` labels)."""

        def possible(written: Bools, reachable: Bools) -> Bools:
            have = written.sum(axis=1)
            fits = (have <= number) & (have + reachable.sum(axis=1) >= number)
            return fits & self._may_end(frozenset({0}) if number else frozenset())

        return self.answers(lambda w: w.sum(axis=1) == number, possible)

    def counts(self) -> list[Bounds]:
        """P(number of labels = 0, 1, ...), up to the longest answer found."""
        k = len(self.tree.labels)
        longest = int(self.written[self._ended, :k].sum(axis=1).max(initial=0))
        return [self.count(number) for number in range(longest + 1)]


def _ratio(
    hit: Floats, ended: float, can: Floats, avoid: Floats, inside: Floats | float = 0.0
) -> tuple[Floats, Floats]:
    """On-format bounds of an event: hit / answers, the open mass at its worst.

    can, avoid: open mass that may end with the event, and that may end without it. inside: mass
    that counts as answers already and may still bring the event.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        low = np.where(ended + avoid > 0, hit / (ended + avoid), np.where(can > 0, 0.0, np.nan))
        high = np.where(ended + can > 0, (hit + can + inside) / (ended + can), np.nan)
    nothing = np.isnan(low) | np.isnan(high)
    empty = (ended <= 0) & (can + avoid > 0)
    low = np.where(nothing, np.where(empty, 0.0, np.nan), low)
    high = np.where(nothing, np.where(empty, 1.0, np.nan), high)
    return low, np.minimum(high, 1.0)


def _share(hit: float, ended: float, can: float, avoid: float, inside: float = 0.0) -> Bounds:
    """`_ratio` of one event."""
    low, high = _ratio(np.array([hit]), ended, np.array([can]), np.array([avoid]), inside)
    return _bounds(low[0], high[0])


def _bounds(low: float, high: float) -> Bounds:
    return NOTHING if np.isnan(low) or np.isnan(high) else Bounds(float(low), float(high))


def _bits(sets: list[int], width: int) -> Bools:
    if width <= 62:
        column = np.array(sets, dtype=np.int64).reshape(-1, 1)
        return (column >> np.arange(width) & 1).astype(bool)
    return np.array([[s >> i & 1 for i in range(width)] for s in sets], dtype=bool).reshape(
        -1, width
    )
