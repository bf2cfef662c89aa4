"""The tree of answers: every token prefix that was looked at, with its probability.

    prompt -+- "safe" -- end                      .30   ended, written: none
            +- "un" "safe" "\n" "S" -+- "1" ...   .45   frontier
            |                        +- "7" ...   .18   frontier
            |                        +- else      .02   ended, written: unsafe, unreadable
            +- anything else                      .05   off-format

The tree holds the model's own conditional log-probabilities and nothing derived; masses under a
normalisation are a weighting of it (`AnswerTree.log_mass`), which `answers/marginals.py` sums.
Formulas: docs/formulas.md#bounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelmass._types import Normalisation
from labelmass.answers.integrity import check_tree
from labelmass.errors import LabelMassError
from labelmass.files import current_keys, shaped

ROOT = 0
AGGREGATE = -2
"""The token of a frontier node that stands for several tokens which decide the same."""
EXITED = -3
"""The token of an ended node that stands for tokens which leave the format behind a risk verdict
and write the same before they do. Masking bars them."""


class Status(IntEnum):
    """State of a node."""

    FRONTIER = 0  # admissible, its row not read
    EXPANDED = 1  # its row was read, its children are nodes
    ENDED = 2  # the answer is complete, or what follows its risk verdict cannot be read


class Ending(StrEnum):
    """End of the greedy path."""

    COMPLETE = "complete"  # an on-format answer
    OFF_FORMAT = "off-format"  # the likeliest token left the format
    UNREADABLE = "unreadable"  # it left the format behind a risk verdict
    CUT = "cut"  # a budget stopped it


class Termination(StrEnum):
    """End of a sampled path."""

    ENDED = "ended"  # a complete answer, or one that cannot be read on behind a risk verdict
    OFF_FORMAT = "off-format"  # it left the format
    CUT = "cut"  # at a budget, or where the engine does not say


@dataclass(frozen=True, slots=True)
class SampledPath:
    """`count` equal drawn paths: where they set off, the last node they reached, how they ended."""

    start: int
    end: int
    how: str
    count: int


@dataclass(slots=True)
class SampledPaths:
    """Paths drawn through a tree.

    Attributes:
        normalisation: Raw, or masked.
        share: Mass that one path stands for.
        found: (k,) mass on which each label was written already where the paths set off or before.
        read: Nodes whose rows were read for what comes next at a step, wherever the paths went.
        cut: Reason that paths were cut ("nodes", "depth", "seconds" or "engine"), "" if none was.
    """

    normalisation: str
    share: float
    found: tuple[float, ...]
    paths: list[SampledPath] = field(default_factory=list)
    read: set[int] = field(default_factory=set)
    cut: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "normalisation": str(self.normalisation),
            "share": self.share,
            "found": list(self.found),
            "paths": [[p.start, p.end, str(p.how), p.count] for p in self.paths],
            "read": sorted(self.read),
            "cut": self.cut,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SampledPaths:
        """Inverse of `to_dict`; raises LabelMassError on other data."""
        rows = shaped(list[tuple[int, int, Termination, int]], data.get("paths", ()))
        return shaped(cls, {**data, "paths": [SampledPath(*row) for row in rows]})


@dataclass(slots=True)
class AnswerTree:
    """Nodes in the order they were found; node 0 is the prompt.

    Attributes:
        labels: The k label names. Bit i of a bit set stands for label i, bit k for the empty
            answer, bit k + 1 for the verdict prefix, bit k + 2 for `unreadable`: the answer left
            the format behind that verdict; bit k + 3 + j for value j of a format of fields.
        parent, token: A node's parent and the id that leads to it (-1 for the root). A frontier
            node with token AGGREGATE stands for the tokens not looked at one by one that write the
            same; an ended node for every token that ends the answer with the same labels, `token`
            the likeliest.
        logp: Natural log of P(token | parent), from the model, full vocabulary.
        outputs: Outputs that the token settled as written, in order.
        written, reachable: Bit sets; written so far, and what the format may still write from here.
        status: `Status`.
        off, tail: For an expanded node, the probability (given the node) of the tokens that leave
            the format, and of admissible tokens the engine did not return. What leaves behind a
            risk verdict is no part of `off` but a child, an ended node with the token EXITED.
        after: For an expanded node, how much of `off` leaves after the text of a label, where there
            is any.
        top: For an expanded node, the likeliest (id, logp, child) of the whole row; child is -1
            where the token is off-format.
        stray_ends: For an expanded node where the answer could end, name of the likeliest token of
            its row, if that is a control token but none of those that end an answer.
        greedy: Nodes of the greedy path from the root.
        greedy_end: End of the greedy answer.
        greedy_exit: The token that left the format, if it did. Behind a risk verdict a node stands
            for it.
        steps: Nodes of the greedy path where a label may start, in order; the first is the root.
        completed: (output, node) of each label, and the verdict prefix, that the greedy path
            writes, in order: the node whose token holds the last byte of its text.
        scale: For an expanded node, `NextTokenLogprobs.scale` of its row, where the engine says it.
        common_prefix: The node that every label's usual spelling leads to before they part.
        spellings: Spelling with which each label is written.
        values: Names of the values of a format of fields, such as "Safety: Unsafe".
        label_tries: At how many steps the label tries were expanded, None for all.
        shares: At how many steps the shares of the labels were narrowed, None for all.
        contrast: True if the labels against the empty answer were, at the first step.
        prefix_shares: True if the labels' shares after the common prefix were.
        step_stopped: Reason that one of these fell short of the tolerance, "" if none did.
        upcoming: Bit sets, for nodes that follow such a step with nothing written in between: what
            may be written next. Elsewhere `reachable` holds that and more.
        min_mass: Every node at least this heavy was expanded, None if that was not asked for.
        texts: Bytes of every token id that stands in the tree.
        samples: Paths drawn from the prompt.
        completions: Paths drawn from what the search left open.
    """

    labels: tuple[str, ...]
    parent: list[int] = field(default_factory=list)
    token: list[int] = field(default_factory=list)
    logp: list[float] = field(default_factory=list)
    outputs: list[tuple[int, ...]] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    reachable: list[int] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    off: dict[int, float] = field(default_factory=dict)
    tail: dict[int, float] = field(default_factory=dict)
    after: dict[int, float] = field(default_factory=dict)
    top: dict[int, tuple[tuple[int, float, int], ...]] = field(default_factory=dict)
    stray_ends: dict[int, str] = field(default_factory=dict)
    scale: dict[int, float] = field(default_factory=dict)
    common_prefix: int = ROOT
    greedy: list[int] = field(default_factory=list)
    greedy_end: str = Ending.CUT
    greedy_exit: int | None = None
    steps: list[int] = field(default_factory=list)
    completed: list[tuple[int, int]] = field(default_factory=list)
    spellings: tuple[str, ...] = ()
    texts: dict[int, bytes] = field(default_factory=dict)
    has_empty: bool = True
    has_verdict_prefix: bool = False
    values: tuple[str, ...] = ()
    label_tries: int | None = 0
    shares: int | None = 0
    contrast: bool = False
    prefix_shares: bool = False
    step_stopped: str = ""
    upcoming: dict[int, int] = field(default_factory=dict)
    min_mass: float | None = None
    stopped: str = ""
    samples: SampledPaths | None = None
    completions: SampledPaths | None = None

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def empty(self) -> int:
        """The output number of the empty answer."""
        return len(self.labels)

    @property
    def verdict_prefix(self) -> int:
        """The output number of the verdict prefix."""
        return len(self.labels) + 1

    @property
    def unreadable(self) -> int:
        """The output number of an answer that left the format behind a risk verdict."""
        return len(self.labels) + 2

    @property
    def width(self) -> int:
        """Number of outputs."""
        return self.unreadable + 1 + len(self.values)

    @property
    def expanded(self) -> int:
        """Number of rows read."""
        return len(self.off)

    def log_mass(self, normalisation: Normalisation = Normalisation.RAW) -> NDArray[np.float64]:
        """(n,) natural log of each node's mass; masked divides each row by its allowed mass.

        Where a row came incomplete, what was not returned counts as allowed, so that a masked
        mass is a lower bound. What left the format behind a risk verdict has a masked mass only
        where the row allows nothing else, see `is_barred`.
        """
        logp = np.array(self.logp, dtype=np.float64)
        if normalisation is Normalisation.MASKED:
            parents = np.array(self.parent, dtype=np.int64)
            barred = np.array([self.is_barred(node) for node in range(len(self))])
            allowed = self.allowed()[parents]
            there = (logp > -np.inf) & ~barred  # the others have no mass either way
            there[ROOT] = False
            logp[there] -= np.log(allowed[there])
            lost = np.zeros(len(self))
            np.add.at(lost, parents[barred], np.exp(logp[barred]))
            dead = barred & (allowed <= 0)
            logp[dead] -= np.log(lost[parents[dead]])
            logp[barred & ~dead] = -np.inf
        mass = np.zeros(len(self))
        for node in range(1, len(self)):
            mass[node] = mass[self.parent[node]] + logp[node]
        return mass

    def allowed(self) -> NDArray[np.float64]:
        """(n,) probability, given an expanded node, of staying in the format; NaN elsewhere."""
        total = np.full(len(self), np.nan)
        for node, tail in self.tail.items():
            total[node] = tail
        for node in range(1, len(self)):
            if not self.is_barred(node):
                total[self.parent[node]] += np.exp(self.logp[node])
        return total

    def is_barred(self, node: int) -> bool:
        """True if masking bars a node: it left the format behind a risk verdict (EXITED).

        Not where the verdict is settled by that alone, as of `harm` beside `harmless`: barred, the
        answer would become the other verdict.
        """
        return self.token[node] == EXITED and self.verdict_prefix not in self.outputs[node]

    def children(self) -> dict[int, list[int]]:
        """Children of every node that has some, likeliest first."""
        results: dict[int, list[int]] = {}
        for node in range(1, len(self)):
            results.setdefault(self.parent[node], []).append(node)
        for nodes in results.values():
            nodes.sort(key=lambda n: (-self.logp[n], self.token[n]))
        return results

    def name(self, output: int) -> str:
        """The label, or what a person calls the further outputs."""
        if output < self.empty:
            return self.labels[output]
        if output > self.unreadable:
            return self.values[output - self.unreadable - 1]
        return {self.empty: "the empty answer", self.verdict_prefix: "the verdict"}.get(
            output, "an unreadable rest"
        )

    def writes_label(self, node: int) -> bool:
        """True if the node's token settles a label, or the empty answer, as written."""
        return any(out <= self.empty for out in self.outputs[node])

    def is_step(self, node: int) -> bool:
        """True if a label has just been written here and another may follow."""
        more = self.reachable[node] & ((1 << self.empty) - 1)
        return bool(more) and any(out < self.empty for out in self.outputs[node])

    def depth(self, node: int) -> int:
        """Tokens from the prompt to the node."""
        count = 0
        while node != ROOT:
            node, count = self.parent[node], count + 1
        return count

    def path(self, node: int) -> list[int]:
        """Nodes from the root, left out, to the node."""
        results: list[int] = []
        while node != ROOT:
            results.append(node)
            node = self.parent[node]
        return results[::-1]

    def text(self, node: int) -> bytes:
        """The bytes written from the prompt to the node."""
        return b"".join(self.texts.get(self.token[n], b"") for n in self.path(node))

    @property
    def greedy_tokens(self) -> list[int]:
        """The tokens of the greedy path, with the one that left it where a node stands for that."""
        tokens = [self.token[node] for node in self.greedy[1:]]
        if tokens and tokens[-1] == EXITED and self.greedy_exit is not None:
            tokens[-1] = self.greedy_exit
        return tokens

    @property
    def greedy_last(self) -> int:
        """The last node that the greedy path came to in the format."""
        last = self.greedy[-1]
        return self.parent[last] if self.token[last] == EXITED else last

    @property
    def greedy_text(self) -> str:
        """Text of the greedy answer, including the token that leaves the format if one does."""
        if not self.greedy:
            return ""
        text = self.text(self.greedy[-1])
        if self.greedy_exit is not None:
            text += self.texts.get(self.greedy_exit, b"")
        return text.decode(errors="replace")

    # -- saving ---------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` gives the same tree back."""
        return {
            "labels": list(self.labels),
            "parent": self.parent,
            "token": self.token,
            "logp": [p if p > -math.inf else None for p in self.logp],
            "outputs": [list(out) for out in self.outputs],
            "written": self.written,
            "ahead": self.reachable,
            "status": self.status,
            "off": {str(n): p for n, p in self.off.items()},
            "tail": {str(n): p for n, p in self.tail.items()},
            "after": {str(n): p for n, p in self.after.items()},
            "top": {str(n): [list(entry) for entry in row] for n, row in self.top.items()},
            "stray_ends": {str(n): name for n, name in self.stray_ends.items()},
            "scale": {str(n): x for n, x in self.scale.items()},
            "stem": self.common_prefix,
            "greedy": self.greedy,
            "greedy_end": str(self.greedy_end),
            "greedy_exit": self.greedy_exit,
            "steps": self.steps,
            "completed": [list(pair) for pair in self.completed],
            "spellings": list(self.spellings),
            "texts": {str(i): text.hex() for i, text in self.texts.items()},
            "has_none": self.has_empty,
            "has_gate": self.has_verdict_prefix,
            **({"values": list(self.values)} if self.values else {}),
            "tries": self.label_tries,
            "shares": self.shares,
            "contrast": self.contrast,
            "stem_shares": self.prefix_shares,
            "step_stopped": self.step_stopped,
            "upcoming": {str(n): bits for n, bits in self.upcoming.items()},
            "min_mass": self.min_mass,
            "stopped": self.stopped,
            "samples": None if self.samples is None else self.samples.to_dict(),
            "completions": None if self.completions is None else self.completions.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AnswerTree:
        """The tree that `to_dict` wrote; LabelMassError if something is missing.

        A tree of answers with a verdict is refused where an earlier version grew it.
        """
        if data.get("has_gate") and "after" not in data:
            raise LabelMassError(
                "this tree of a guard's answers was grown by an earlier version, which lost what "
                "it could not read behind a risk verdict: score the records again"
            )
        fixed = current_keys(data, _FIELDS)
        try:
            if missing := [key for key in _NEEDED if key not in data]:
                raise LabelMassError(f"{missing[0]} is missing")
            fixed["logp"] = [-math.inf if p is None else p for p in data["logp"]]
            fixed["texts"] = {int(i): bytes.fromhex(text) for i, text in data["texts"].items()}
            for key in ("samples", "completions"):
                fixed[key] = None if data[key] is None else SampledPaths.from_dict(data[key])
            tree = shaped(cls, fixed, infinite=True)
            check_tree(tree)
        except (LabelMassError, TypeError, ValueError, AttributeError) as error:
            raise LabelMassError(f"not a saved answer tree: {error}") from None
        return tree


_FIELDS = {
    "ahead": "reachable",
    "stem": "common_prefix",
    "tries": "label_tries",
    "stem_shares": "prefix_shares",
    "has_none": "has_empty",
    "has_gate": "has_verdict_prefix",
}
"""Fields by their keys in files, where these are others."""

_NEEDED = ("labels", "parent", "token", "logp", "outputs", "written", "ahead", "status", "off",
           "tail", "top", "scale", "greedy", "completed", "spellings", "texts", "samples",
           "completions")  # fmt: skip
"""Keys of every tree, also of those that earlier versions saved."""
