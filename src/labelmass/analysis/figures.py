"""Figures of diagnoses, drawn by `labelmass.present`.

Every figure is named after the entry of the JSON that holds its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from labelmass.analysis.answer import Kind
from labelmass.analysis.counts import Share, Spread, plain
from labelmass.analysis.diagnosis import Diagnosis
from labelmass.analysis.sweep import demo_sweep
from labelmass.present.drawing import save_figure
from labelmass.present.figures import (
    MARKERS,
    SOFT,
    Axis,
    Bars,
    Dots,
    Figure,
    Line,
    Mark,
    Notes,
    Panel,
    Spans,
)
from labelmass.present.tables import number

Runs = Mapping[str, Diagnosis]
"""Diagnoses by the title of the run's panel."""
STEPS, RANKS, POSITIONS, LINES = 6, 10, 6, 4
"""The most steps, ranks, positions and lines that are drawn; the JSON holds all of them."""
WIDTH, HEIGHT = 420, 280
"""Pixels of a figure with one panel for all runs."""
QUANTILES = ("5 %", "25 %", "50 %", "75 %", "95 %")


def save_figures(runs: Runs, folder: Path) -> list[Path]:
    """Write NAME.svg and NAME.png of every figure that has something to show.

    The folder is made if need be. LabelMassError without matplotlib.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [draw(runs) for draw in FIGURES]
    return [path for one in drawn if one.panels for path in save_figure(one, folder)]


def spikiness(runs: Runs) -> Figure:
    """The largest p_r by step, a panel a run: intermediate beside last."""
    last = min(max((r for run in runs.values() for r in run.spikiness.numbers), default=0), STEPS)
    head = ["step", "kind", "steps", "mean", *QUANTILES, "entropy, bits"]
    rows = [
        (name, [str(r), str(kind), *_spread(kinds[kind].top), number(kinds[kind].entropy.mean)])
        for name, one in runs.items()
        for r, kinds in one.spikiness.numbers.items()
        for kind in Kind
        if kinds[kind].top.n
    ]
    return _by_run(
        "spikiness",
        "Spikiness: last and intermediate label steps",
        "While the model writes its labels one after another: how much of the probability of the "
        "next label lies on one label. Near 1, its distribution names one label and hardly "
        "ranks the others. Steps after which the answer went on are intermediate. Numbers above: "
        "steps.",
        {name: _spikiness_panel(name, one, last) for name, one in runs.items()},
        {name: one.spikiness for name, one in runs.items()},
        head,
        rows,
    )


def _spikiness_panel(name: str, one: Diagnosis, last: int) -> Panel:
    marks: list[Mark] = []
    for kind, shift, colour in ((Kind.INTERMEDIATE, -0.14, 0), (Kind.LAST, 0.14, 1)):
        tops = {r: kinds[kind].top for r, kinds in one.spikiness.numbers.items() if r <= STEPS}
        at = [(r + shift, top) for r, top in tops.items() if top.n]
        marks += [
            Spans("", [(x, top.quantiles[1], top.quantiles[3]) for x, top in at], colour),
            Dots(
                f"{kind} steps: median and quartiles",
                [(x, top.median or 0.0) for x, top in at],
                colour,
                MARKERS[colour],
            ),
            Notes([(x, 1.03 + 0.09 * (colour == 0), str(top.n)) for x, top in at], colour),
        ]
    kinds = (Kind.INTERMEDIATE, Kind.LAST)
    steps = sum(each[kind].top.n for each in one.spikiness.numbers.values() for kind in kinds)
    return Panel(
        name,
        f"{steps} steps, up to step {last}",
        Axis("label step r", 0.5, max(last, 1) + 0.5, _counted(range(1, last + 1))),
        Axis("largest p_r", 0, 1.2),
        marks,
    )


def profile(runs: Runs) -> Figure:
    """p_1 of the labels by rank, a panel a run."""
    return _by_run(
        "profile",
        "Sorted label probabilities of the first step",
        "At the first label step, the probabilities of the labels from the largest down, without "
        "`none`. A steep fall after rank 1 says that the model has one answer in mind, "
        "however many labels annotators give.",
        {name: _profile_panel(name, one.profile.ranks) for name, one in runs.items()},
        {name: one.profile for name, one in runs.items()},
        ["rank", "records", "mean", *QUANTILES],
        [
            (name, [str(at), *_spread(rank)])
            for name, one in runs.items()
            for at, rank in enumerate(one.profile.ranks, start=1)
        ],
    )


def _profile_panel(name: str, ranks: Sequence[Spread]) -> Panel:
    drawn = list(enumerate(ranks[:RANKS], start=1))
    ends = [(at, one.quantiles[end]) for at, one in drawn for end in (0, -1)]
    return Panel(
        name,
        f"{ranks[0].n if ranks else 0} records",
        Axis("rank", 0.5, max(len(drawn), 1) + 0.5, _counted(at for at, _ in drawn)),
        Axis("p_1"),
        [
            Spans("quartiles", [(at, one.quantiles[1], one.quantiles[3]) for at, one in drawn]),
            Dots("median", [(at, one.median or 0.0) for at, one in drawn]),
            Dots("5 % and 95 %", ends, SOFT, "D", hollow=[True] * len(ends)),
        ],
    )


def second_label(runs: Runs) -> Figure:
    """Position of step 1's runner-up in the answer, as a group of bars per position."""
    known = {name: one.second_label.positions for name, one in runs.items()}
    known = {name: positions for name, positions in known.items() if positions}
    last = min(max((at for each in known.values() for at in each), default=0), POSITIONS)
    width = min(0.8 / max(len(known), 1), 0.4)
    marks: list[Mark] = []
    for index, (name, positions) in enumerate(known.items()):
        n = sum(share.hits for share in positions.values())
        left = (index - len(known) / 2) * width
        heights = {at: _height(positions.get(at)) for at in range(2, last + 1)}
        hits = {at: positions[at].hits if at in positions else 0 for at in heights}
        marks += [
            Bars(
                f"{name} (n = {n})",
                [(at + left, at + left + width, height) for at, height in heights.items()],
                index,
            ),
            Notes([(at + left + width / 2, heights[at] + 0.02, str(n)) for at, n in hits.items()]),
        ]
    return _single(
        "second_label",
        "Where the second-ranked label of step 1 ends up",
        "Of the answers that hold the runner-up of step 1, the share that has it at each "
        "position. Numbers above: answers.",
        Axis("position in the answer", 1.5, last + 0.5, _counted(range(2, last + 1))),
        Axis("share of answers that hold it", 0, 1.1),
        marks,
    )


def order_accuracy(runs: Runs) -> Figure:
    """Share of j-th labels that are gold, over the same answers, and over all with j labels."""
    panels: dict[str, Panel] = {}
    for name, one in runs.items():
        if not one.order_accuracy or not one.order_accuracy.answers:
            continue
        every = {j: share for j, share in one.order_accuracy.all.items() if j <= LINES}
        points = [(j, _height(share)) for j, share in every.items()]
        marks: list[Mark] = [Line("all answers with j labels or more", points, SOFT, "dotted")]
        for least, shares in one.order_accuracy.paired.items():
            if least > LINES:
                break
            colour = least - 2
            points = [(j, _height(share)) for j, share in enumerate(shares, start=1)]
            label = f"the same answers: {least} labels or more"
            marks += [
                Line("", points, colour),
                Dots(label, points, colour, MARKERS[colour]),
                Notes([(*points[-1], f"n = {shares[-1].of}")], colour, to_the_right=True),
            ]
        panels[name] = Panel(
            name,
            f"{one.order_accuracy.answers} answers",
            Axis("j", 0.7, len(every) + 1.0, _counted(range(1, len(every) + 1))),
            Axis("share that are gold", 0, 1.1),
            marks,
            240,
            220,
        )
    return Figure(
        "order_accuracy",
        "Label-order accuracy: is the j-th label gold?",
        "The share of j-th labels that are gold: among all answers with j labels, and among the "
        "same answers at every j.",
        list(panels.values()),
    )


def sweep(runs: Runs) -> Figure:
    """Answers with several labels against demonstrations with several, a point a run."""
    points = demo_sweep(runs)
    marks: list[Mark] = [Line("one to one", [(0, 0), (1, 1)], SOFT, "dotted")] if points else []
    for index, model in enumerate(dict.fromkeys(point.model for point in points)):
        own = sorted(
            (point.demonstrations, _height(point.answers), point.answers.of)
            for point in points
            if point.model == model
        )
        heights: dict[float, list[float]] = {}
        for x, y, _ in own:
            heights.setdefault(x, []).append(y)
        means = [(x, sum(each) / len(each)) for x, each in heights.items()]
        marks += [
            Dots(model, [(x, y) for x, y, _ in own], index, MARKERS[index % len(MARKERS)]),
            Line("", means, index, width=1),
            Notes([(x, y, f"n = {n}") for x, y, n in own], index, to_the_right=True),
        ]
    return _single(
        "demo_sweep",
        "Two labels or more: demonstrations and answers",
        "The share of answers with two labels or more against the share of demonstrations that "
        "have two or more, a point a run.",
        Axis("share of demonstrations with two labels or more", -0.03, 1.15),
        Axis("share of answers with two or more", -0.03, 1.06),
        marks,
    )


FIGURES: tuple[Callable[[Runs], Figure], ...] = (
    spikiness,
    profile,
    second_label,
    order_accuracy,
    sweep,
)


def _by_run(
    name: str,
    title: str,
    about: str,
    panels: Mapping[str, Panel],
    numbers: Mapping[str, object],
    head: list[str],
    rows: list[tuple[str, list[str]]],
) -> Figure:
    """A figure with a panel a run; with several runs the table says whose each row is."""
    if len(panels) == 1:
        (only,) = numbers.values()
        own = [row for _, row in rows]
        return Figure(name, title, about, list(panels.values()), plain(only), head, own)
    every = {run: plain(each) for run, each in numbers.items()}
    named = [[run, *row] for run, row in rows]
    return Figure(name, title, about, list(panels.values()), every, ["run", *head], named)


def _single(name: str, title: str, about: str, x: Axis, y: Axis, marks: list[Mark]) -> Figure:
    """A figure with one panel for all runs, or with none where there are no marks."""
    panels = [Panel("", about, x, y, marks, WIDTH, HEIGHT)] if marks else []
    return Figure(name, title, about, panels)


def _counted(values: Iterable[int]) -> list[tuple[float, str]]:
    return [(value, str(value)) for value in values]


def _spread(one: Spread) -> list[str]:
    return [str(one.n), number(one.mean), *(number(value) for value in one.quantiles)]


def _height(share: Share | None) -> float:
    return 0.0 if share is None or share.value is None else share.value
