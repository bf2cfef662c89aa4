"""The records on which a model and the annotators disagree most, each with its answer tree."""

from __future__ import annotations

import math
from collections.abc import Iterator

from labelmass.answers.readings import Readings
from labelmass.answers.tree import Normalisation
from labelmass.present.tables import number
from labelmass.reporting.branches import LEAST, Branch, StepShares, branches, step_shares
from labelmass.reporting.gather import Disagreement, Floats, Gathered, Model
from labelmass.reporting.html import Markup, fold, join, table, tag


def apart(run: Gathered, model: Model, heading: str) -> Markup:
    """An article a record; heading: of what level."""
    normalisation = Normalisation(run.comparison["normalisation"])
    return join(_article(run, model, one, normalisation, heading) for one in model.worst)


def _article(
    run: Gathered, model: Model, one: Disagreement, normalisation: Normalisation, heading: str
) -> Markup:
    record, tree = one.explored.record, one.explored.tree
    text = record.plain
    raters = int(run.targets.raters[one.row])
    said = f"{raters} annotators" if raters else "gold"
    caption = f"Record {record.id}: {said} and {model.shown}"
    return tag(
        "article",
        tag(heading, f"Record {record.id}: {one.distance:.3f} apart"),
        fold(
            f"Show the text ({len(text)} characters)",
            tag("p", text, class_="record", dir="auto", lang=""),
        ),
        table(
            caption,
            ["label", f"people ({said})", f"model ({model.shown})", "bounds", "gold", "given"],
            _labels(run, model, one),
            class_="shares",
            hide_caption=True,
        ),
        fold(
            "Show the answer tree",
            tag(
                "p",
                "The model would write ",
                tag("code", repr(tree.greedy_text), dir="auto"),
                f", and its search stopped at: {tree.stopped or 'its end'}.",
            ),
            _tree(Readings(tree, normalisation)),
            *(_step(number, step) for number, step in enumerate(step_shares(tree), start=1)),
        ),
    )


def _labels(run: Gathered, model: Model, one: Disagreement) -> Iterator[list[str]]:
    predicted, targets = model.scores[model.shown], run.targets
    for at, label in enumerate(targets.labels):
        h, p = float(targets.shares[one.row, at]), float(predicted.p[one.row, at])
        gold = float(targets.gold[one.row, at])
        yield [
            label,
            _bar(h, "people"),
            _bar(p, "model"),
            _bounds(predicted.estimates.low, predicted.estimates.high, one.row, at),
            "unknown" if math.isnan(gold) else "yes" if gold else "no",
            "yes" if model.chosen[one.row, at] else "no",
        ]


def _bar(value: float, whose: str) -> Markup:
    if math.isnan(value):
        return join(["n/a"])
    width = f"width:{100 * value:.1f}%"
    bar = tag("span", tag("span", style=width), class_=f"bar {whose}", aria_hidden="true")
    return join([tag("span", number(value), class_="value"), bar])


def _bounds(low: Floats | None, high: Floats | None, row: int, column: int) -> str:
    if low is None or high is None:
        return ""
    ends = [float(side[row, column]) for side in (low, high)]
    return "" if any(map(math.isnan, ends)) else f"[{ends[0]:.3f}, {ends[1]:.3f}]"


def _tree(readings: Readings) -> Markup:
    """Nested lists: what the answer may begin with, and how likely it is."""
    root = branches(readings)
    return join(
        [
            tag(
                "p",
                f"Answers heavier than {LEAST:g} ({readings.normalisation}); each number is the "
                "probability that the answer begins so; ",
                tag("b", "*"),
                " what the model would write.",
                class_="note",
            ),
            tag("ul", *_items(root), class_="tree"),
            tag(
                "p",
                f"Written on-format {readings.ended:.3f}, off-format {readings.off_format:.3f}, "
                + (f"unreadable {readings.unreadable:.3f}, " if readings.tree.has_gate else "")
                + f"unexplored {readings.unexplored:.3f}.",
                class_="note",
            ),
        ]
    )


def _items(branch: Branch) -> Iterator[Markup]:
    """What follows a branch."""
    for one in branch.below:
        inner = list(_items(one))
        below = [tag("ul", *inner)] if inner else []
        yield tag("li", _line(one), *below, class_="greedy" if one.greedy else None)
    if branch.off:
        yield tag("li", f"{branch.off:.3f} leaves the format", class_="lost")
    if branch.unreadable:
        yield tag("li", f"{branch.unreadable:.3f} cannot be read on", class_="lost")
    if branch.hidden >= LEAST:
        yield tag("li", f"{branch.hidden:.3f} {branch.lighter} lighter ways", class_="lost")


def _line(one: Branch) -> Markup:
    parts = [f"{one.mass:.3f} ", tag("code", repr(one.text), dir="auto")]
    parts += [tag("b", " *")] if one.greedy else []
    parts += (
        [tag("span", f" writes {', '.join(one.writes)}", class_="writes")] if one.writes else []
    )
    parts += [" end"] if one.end else []
    parts += [" not looked at"] if one.open else []
    if one.exit is not None:
        parts += [" then leaves the format with ", tag("code", repr(one.exit), dir="auto")]
    return join(parts)


def _step(number_: int, step: StepShares) -> Markup:
    written = "nothing" if step.written is None else step.written
    rows = [
        [name, _bar(p, "model"), f"[{low:.3f}, {high:.3f}]"] for name, p, low, high in step.shares
    ]
    caption = f"Step {number_}: {written} is written; a label comes next with {step.found:.3f}"
    return table(caption, ["label", "p_r, the next label", "bounds"], rows, class_="shares")
