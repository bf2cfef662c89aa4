"""Figures of diagnoses, as SVG and PNG. Needs matplotlib (`pip install labelmass[figures]`).

Every figure is named after the entry of the JSON that holds its numbers. The same numbers give the
same files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from labelmass.analysis.answer import Kind
from labelmass.analysis.counts import Share, Spread
from labelmass.analysis.diagnosis import Diagnosis
from labelmass.analysis.sweep import demo_sweep
from labelmass.errors import LabelMassError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Runs = Mapping[str, Diagnosis]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#F0E442")
"""Okabe and Ito's palette, told apart by colour-blind people too."""
MARKERS = "osD^vPX*"
SOFT = "#666666"
STEPS, RANKS, POSITIONS, LINES = 6, 10, 6, 4
"""The most steps, ranks, positions and lines that are drawn; the JSON holds all of them."""

STYLE: dict[str, Any] = {
    "svg.hashsalt": "labelmass",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.parse_math": False,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#DDDDDD",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.dpi": 100,
}


def save_figures(runs: Runs, folder: Path) -> list[Path]:
    """Draw what there is to draw; NAME.svg and NAME.png in the folder, which is made if need be."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise LabelMassError("figures need matplotlib: pip install 'labelmass[figures]'") from None
    folder.mkdir(parents=True, exist_ok=True)
    saved: list[Path] = []
    with matplotlib.rc_context(cast("Any", STYLE)):
        for name, draw in FIGURES.items():
            figure = Figure(layout="constrained")
            if not draw(figure, runs):
                continue
            for ending, about in (("svg", {"Date": None}), ("png", {"Software": None})):
                path = folder / f"{name}.{ending}"
                figure.savefig(path, metadata=about, dpi=160)
                saved.append(path)
    return saved


def spikiness(figure: Figure, runs: Runs) -> bool:
    """The largest p_r by step, intermediate beside last: median, quartiles, number of steps."""
    panels = _panels(figure, runs, "largest p_r")
    steps = min(max(r for one in runs.values() for r in one.spikiness.numbers), STEPS)
    for axes, one in zip(panels, runs.values(), strict=True):
        for shift, up, colour, marker, kind in (
            (-0.13, 1.10, COLOURS[0], "o", Kind.INTERMEDIATE),
            (0.13, 1.03, COLOURS[1], "s", Kind.LAST),
        ):
            numbers = one.spikiness.numbers.items()
            spreads = {r + shift: kinds[kind].top for r, kinds in numbers if r <= STEPS}
            _quartiles(axes, spreads, colour, marker, str(kind))
            for x, spread in spreads.items():
                text = str(spread.n or "")
                axes.text(x - shift, up, text, ha="center", fontsize=7, color=colour)
        axes.set(xlabel="label step r", xticks=range(1, steps + 1), xlim=(0.5, steps + 0.5))
    _legend(figure, panels, 2)
    figure.suptitle("Spikiness of label steps: median, quartiles, number of steps")
    return True


def profile(figure: Figure, runs: Runs) -> bool:
    """p_1 of the labels by rank: median, quartiles, number of records."""
    panels = _panels(figure, runs, "p_1")
    for axes, one in zip(panels, runs.values(), strict=True):
        ranks = one.profile.ranks[:RANKS]
        middle = {float(at): spread for at, spread in enumerate(ranks, start=1)}
        _quartiles(axes, middle, COLOURS[0], "o")
        for at, spread in middle.items():
            axes.plot([at] * 2, [spread.quantiles[0], spread.quantiles[-1]], "_", color=SOFT)
        n = ranks[0].n if ranks else 0
        axes.set(
            xlabel=f"rank among the labels (n = {n} records)",
            xticks=range(1, len(ranks) + 1),
            xlim=(0.5, max(len(ranks), 1) + 0.5),
        )
    figure.suptitle("Sorted p_1 of the labels: median, quartiles, 5 to 95 %")
    return True


def second_label(figure: Figure, runs: Runs) -> bool:
    """Where the runner-up of step 1 stands in the answer, a group of bars a position."""
    found = {name: one.second_label.positions for name, one in runs.items()}
    found = {name: positions for name, positions in found.items() if positions}
    if not found:
        return False
    axes = _single(figure)
    last = min(max(at for positions in found.values() for at in positions), POSITIONS)
    width = min(0.8 / len(found), 0.4)
    for index, (name, positions) in enumerate(found.items()):
        n = sum(share.hits for share in positions.values())
        shift = (index - (len(found) - 1) / 2) * width
        bars = axes.bar(
            [at + shift for at in range(2, last + 1)],
            [_height(positions.get(at)) for at in range(2, last + 1)],
            width * 0.92,
            color=COLOURS[index % len(COLOURS)],
            label=f"{name} (n = {n})",
        )
        hits = [positions[at].hits if at in positions else 0 for at in range(2, last + 1)]
        axes.bar_label(bars, [str(hit) for hit in hits], padding=2, fontsize=7, color=SOFT)
    axes.set(
        xlabel="position in the answer",
        ylabel="share of answers that hold it",
        xticks=range(2, last + 1),
        ylim=(0, 1.05),
    )
    _legend(figure, [axes], 3)
    figure.suptitle("Where the second-ranked label of step 1 ends up")
    return True


def order_accuracy(figure: Figure, runs: Runs) -> bool:
    """Share of j-th labels that are gold, over the same answers, and over all with j labels."""
    found = {name: one.order_accuracy for name, one in runs.items() if one.order_accuracy}
    found = {name: each for name, each in found.items() if each.answers}
    if not found:
        return False
    panels = _panels(figure, found, "share of j-th labels that are gold")
    for axes, each in zip(panels, found.values(), strict=True):
        every = {j: share for j, share in each.all.items() if j <= LINES}
        x, y = list(every), [_height(share) for share in every.values()]
        axes.plot(x, y, color=SOFT, ls=":", label="all answers with j labels or more")
        for least, shares in each.paired.items():
            if least > LINES:
                break
            x, y = range(1, least + 1), [_height(share) for share in shares]
            colour, marker = COLOURS[least - 2], MARKERS[least - 2]
            label = f"the same answers: {least} labels or more"
            axes.plot(x, y, color=colour, marker=marker, label=label)
            _note(axes, f"n = {shares[-1].of}", x[-1], y[-1], colour)
        axes.set(xlabel="j", xticks=range(1, len(every) + 1), xlim=(0.7, len(every) + 0.7))
    _legend(figure, panels, min(len(found), 2))
    figure.suptitle("Label-order accuracy: is the j-th label gold?")
    return True


def sweep(figure: Figure, runs: Runs) -> bool:
    """Answers with several labels against demonstrations with several, a point a run."""
    points = demo_sweep(runs)
    if not points:
        return False
    axes = _single(figure)
    axes.plot([0, 1], [0, 1], color=SOFT, ls=":", lw=1, label="one to one")
    for index, model in enumerate(dict.fromkeys(point.model for point in points)):
        colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
        means: dict[float, list[float]] = {}
        for point in points:
            if point.model == model:
                x, y = point.demonstrations, _height(point.answers)
                means.setdefault(x, []).append(y)
                _note(axes, f"n = {point.answers.of}", x, y, colour)
        x = [share for share, heights in means.items() for _ in heights]
        y = [height for heights in means.values() for height in heights]
        axes.plot(x, y, color=colour, marker=marker, ls="", label=model)
        if len(means) > 1:
            y = [sum(heights) / len(heights) for heights in means.values()]
            axes.plot(list(means), y, color=colour, lw=1)
    axes.set(
        xlabel="share of demonstrations with two labels or more",
        ylabel="share of answers with two or more",
        xlim=(-0.03, 1.12),
        ylim=(-0.03, 1.06),
    )
    _legend(figure, [axes], 3)
    figure.suptitle("Two labels or more: demonstrations and answers")
    return True


FIGURES: Mapping[str, Callable[[Any, Runs], bool]] = {
    "spikiness": spikiness,
    "profile": profile,
    "second_label": second_label,
    "order_accuracy": order_accuracy,
    "demo_sweep": sweep,
}
"""Each draws on an empty figure, and says whether there was anything to draw."""


def _panels(figure: Figure, runs: Mapping[str, object], ylabel: str) -> list[Axes]:
    """A panel a run, at most three in a row, all from 0 to 1."""
    across = min(len(runs), 3)
    down = -(-len(runs) // across)
    grid = figure.subplots(down, across, sharey=True, squeeze=False)
    figure.set_size_inches(max(2.7 * across, 4.6) + 0.4, 2.5 * down + 1.0)
    panels: list[Axes] = list(grid.flat)
    for axes, name in zip(panels, runs, strict=False):
        axes.set(title=name, ylim=(0, 1.17), yticks=[0, 0.2, 0.4, 0.6, 0.8, 1])
    for axes in panels[len(runs) :]:
        axes.set_axis_off()
    for row in grid:
        row[0].set_ylabel(ylabel)
    return panels[: len(runs)]


def _single(figure: Figure) -> Axes:
    figure.set_size_inches(5.8, 3.8)
    return figure.subplots()


def _quartiles(
    axes: Axes, spreads: Mapping[float, Spread], colour: str, marker: str, label: str = ""
) -> None:
    """Median and quartiles at each x, where there are values."""
    there = {x: spread for x, spread in spreads.items() if spread.n}
    for x, spread in there.items():
        axes.plot(
            [x, x],
            [spread.quantiles[1], spread.quantiles[3]],
            color=colour,
            lw=4,
            alpha=0.4,
            solid_capstyle="butt",
        )
    middle = [spread.quantiles[2] for spread in there.values()]
    axes.plot(list(there), middle, color=colour, marker=marker, ms=5, ls="", label=label)


def _note(axes: Axes, text: str, x: float, y: float, colour: str) -> None:
    axes.annotate(text, (x, y), (6, -3), textcoords="offset points", fontsize=7, color=colour)


def _height(share: Share | None) -> float:
    return 0.0 if share is None or share.value is None else share.value


def _legend(figure: Figure, panels: Sequence[Axes], columns: int) -> None:
    """Below all panels, each entry once."""
    entries: dict[str, Any] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns)
