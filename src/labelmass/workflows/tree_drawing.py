"""A record's tree of answers, drawn for a terminal."""

from __future__ import annotations

import numpy as np
from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.text import Text
from rich.tree import Tree

from labelmass._text import printable
from labelmass._types import Normalisation
from labelmass.answers.branches import Branch, StepShares, branches, step_shares
from labelmass.answers.marginals import Marginals
from labelmass.answers.tree import AnswerTree
from labelmass.present.tables import Cell, Head, Table
from labelmass.task import Record

BAR = 24
"""Width of a full bar, in characters."""


def drawing(
    record: Record, tree: AnswerTree, normalisation: Normalisation, min_mass: float
) -> RenderableType:
    """The tree, each label step, and the probabilities that come of them."""
    marginals = Marginals(tree, normalisation)
    root = Tree(Text("prompt", "bold"))
    _grow(root, branches(marginals, min_mass), min_mass)
    parts: list[RenderableType] = [
        _record(record),
        Rule(f"answers heavier than {min_mass:g} ({normalisation})", style="dim"),
        root,
        Text(
            "* greedy path; each mass is P(the answer begins so). "
            f"Written on-format {marginals.ended:.3f}, off-format {marginals.off_format:.3f}, "
            + (f"unreadable {marginals.unreadable:.3f}, " if tree.has_verdict_prefix else "")
            + f"unexplored {marginals.unexplored:.3f}",
            style="dim",
        ),
    ]
    for number, step in enumerate(step_shares(tree), start=1):
        shares = [(name, p, high - low) for name, p, low, high in step.shares]
        parts += [_rule(number, step), _bars(shares)]
    parts += [Rule("P(label is written)", style="dim"), _labels(marginals)]
    return Group(*parts)


def _record(record: Record) -> Text:
    said = printable(" ".join(record.plain.split()))
    return Text(f"{record.id}: {said}", "bold", overflow="ellipsis", no_wrap=True)


def _grow(drawn: Tree, branch: Branch, min_mass: float) -> None:
    """Draw what follows a branch."""
    for one in branch.below:
        _grow(drawn.add(_line(one)), one, min_mass)
    if branch.off:
        drawn.add(Text(f"{branch.off:.3f}  leaves the format", "yellow"))
    if branch.unreadable:
        drawn.add(Text(f"{branch.unreadable:.3f}  cannot be read on", "yellow"))
    if branch.omitted >= min_mass:
        drawn.add(Text(f"{branch.omitted:.3f}  {branch.lighter} lighter ways", "dim"))


def _line(one: Branch) -> Text:
    mark = " *" if one.greedy else ""
    line = Text(f"{one.mass:.3f}  {one.text!r}{mark}", "bold cyan" if one.greedy else "")
    if one.writes:
        line.append(f"  writes {', '.join(one.writes)}", "green")
    if one.end or one.open:
        line.append("  end" if one.end else "  not looked at", "dim default")
    if one.exit is not None:
        line.append(f"  then leaves the format with {one.exit!r}", "yellow")
    return line


def _rule(number: int, step: StepShares) -> Rule:
    written = "nothing" if step.written is None else step.written
    where = f" after {step.before!r}" if step.before else ""
    return Rule(
        f"step {number}{where}: {written} written; a label follows with {step.label_mass:.3f}",
        style="dim",
    )


def _labels(marginals: Marginals) -> Table:
    tree = marginals.tree
    low, high = marginals.intervals
    count = len(tree.labels) + tree.has_empty
    names = [*tree.labels, "empty answer"][:count]
    middle = (low[:count] + high[:count]) / 2
    order = np.argsort(-np.nan_to_num(middle, nan=-1.0), kind="stable")
    return _bars([(names[i], float(middle[i]), float(high[i] - low[i])) for i in order])


def _bars(rows: list[tuple[str, float, float]]) -> Table:
    """rows: A name, a probability, and the width of its bounds."""
    cells: list[list[str | Cell]] = []
    for name, p, width in rows:
        if np.isnan(p):
            cells.append([name, Cell("null", style="dim")])
            continue
        spread = [f"±{width / 2:.3f}"] if width >= 0.001 else []
        bar = Cell("\u2588" * round(p * BAR), style="green")
        cells.append([name, Cell(f"{p:.3f}", details=spread), bar])
    return Table("", [Head("", prose=True)] * 3, cells)
