"""An explored record, drawn for a terminal."""

from __future__ import annotations

import numpy as np
from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from labelmass._types import Normalisation
from labelmass.answers.readings import Readings
from labelmass.answers.steps import Step, label_steps
from labelmass.answers.tree import LEFT, LUMP, ROOT, AnswerTree, Status
from labelmass.scoring.explorer import Explored
from labelmass.task import Record

BAR = 24
"""Width of a full bar, in characters."""


def drawing(explored: Explored, normalisation: Normalisation, least: float) -> RenderableType:
    """The tree, each label step, and the probabilities that come of them."""
    tree = explored.tree
    readings = Readings(tree, normalisation)
    parts: list[RenderableType] = [
        _record(explored.record),
        Rule(f"answers heavier than {least:g} ({normalisation})", style="dim"),
        _branches(tree, readings, least),
        Text(
            "* greedy path; each mass is P(the answer begins so). "
            f"Written on-format {readings.ended:.3f}, off-format {readings.off_format:.3f}, "
            + (f"unreadable {readings.unreadable:.3f}, " if tree.has_gate else "")
            + f"unexplored {readings.unexplored:.3f}",
            style="dim",
        ),
    ]
    for number, step in enumerate(label_steps(tree), start=1):
        parts += [_rule(tree, number, step), _step(tree, step)]
    parts += [Rule("P(label is written)", style="dim"), _labels(readings)]
    return Group(*parts)


def _record(record: Record) -> Text:
    said = " ".join(record.plain.split())
    return Text(f"{record.id}: {said}", "bold", overflow="ellipsis", no_wrap=True)


def _branches(tree: AnswerTree, readings: Readings, least: float) -> Tree:
    mass, children, greedy = readings.mass, tree.children(), set(tree.greedy)
    drawn = Tree(Text("prompt", "bold"))

    def grow(node: int, branch: Tree, before: bytes) -> None:
        hidden = 0.0
        for child in children.get(node, ()):
            # A run of tokens without a fork worth drawing stands on one line.
            run, at = before + tree.texts.get(tree.token[child], b""), child
            if tree.token[child] == LEFT:
                if mass[child] >= least:
                    branch.add(Text(f"{mass[child]:.3f}  cannot be read on", "yellow"))
                continue
            if (mass[child] < least and child not in greedy) or tree.token[child] == LUMP:
                hidden += mass[child]
                continue
            while (only := _only_child(at)) is not None:
                at = only
                run += tree.texts.get(tree.token[at], b"")
            grow(at, branch.add(_line(tree, at, run, float(mass[at]), at in greedy)), b"")
        off = mass[node] * tree.off.get(node, 0.0)
        if readings.normalisation is not Normalisation.MASKED and off >= least:
            branch.add(Text(f"{off:.3f}  leaves the format", "yellow"))
        if hidden >= least:
            branch.add(Text(f"{hidden:.3f}  {len(children[node])} lighter ways", "dim"))

    def _only_child(node: int) -> int | None:
        heavy = [c for c in children.get(node, ()) if mass[c] >= least or c in greedy]
        if len(heavy) != 1 or tree.token[heavy[0]] in (LUMP, LEFT) or tree.outputs[node]:
            return None
        return heavy[0] if mass[node] - mass[heavy[0]] < least else None

    grow(ROOT, drawn, b"")
    return drawn


def _line(tree: AnswerTree, node: int, text: bytes, mass: float, greedy: bool) -> Text:
    line = Text(f"{mass:.3f}  ", "bold cyan" if greedy else "")
    line.append(repr(text.decode(errors="replace")), "bold cyan" if greedy else "")
    line.append(" *" if greedy else "", "bold cyan")
    names = [tree.name(out) for out in tree.outputs[node]]
    if names:
        line.append(f"  writes {', '.join(names)}", "green")
    if tree.status[node] == Status.ENDED:
        line.append("  end", "dim")
    elif tree.status[node] == Status.FRONTIER:
        line.append("  not looked at", "dim")
    if greedy and node == tree.greedy_last and tree.greedy_exit is not None:
        exit_ = tree.texts.get(tree.greedy_exit, b"").decode(errors="replace")
        line.append(f"  then leaves the format with {exit_!r}", "yellow")
    return line


def _rule(tree: AnswerTree, number: int, step: Step) -> Rule:
    written = "nothing" if step.label is None else tree.name(step.label)
    after = tree.text(step.node).decode(errors="replace")
    where, found = f" after {after!r}" if after else "", step.next.found.sum()
    return Rule(
        f"step {number}{where}: {written} is written; a label comes next with {found:.3f}",
        style="dim",
    )


def _step(tree: AnswerTree, step: Step) -> Table:
    p, low, high = step.next.shares()
    names = [*tree.labels, "none"]
    order = np.argsort(-np.nan_to_num(p), kind="stable")[:6]
    return _bars([(names[i], float(p[i]), float(high[i] - low[i])) for i in order])


def _labels(readings: Readings) -> Table:
    tree = readings.tree
    low, high = readings.intervals
    count = len(tree.labels) + tree.has_none
    names = [*tree.labels, "none"][:count]
    middle = (low[:count] + high[:count]) / 2
    order = np.argsort(-np.nan_to_num(middle, nan=-1.0), kind="stable")
    return _bars([(names[i], float(middle[i]), float(high[i] - low[i])) for i in order])


def _bars(rows: list[tuple[str, float, float]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for name, p, width in rows:
        if np.isnan(p):
            table.add_row(name, Text("null", "dim"), "")
            continue
        bar = Text("\u2588" * round(p * BAR), "green")
        spread = f" \u00b1{width / 2:.3f}" if width >= 0.001 else ""
        table.add_row(name, Text(f"{p:.3f}").append(spread, "dim"), bar)
    return table
