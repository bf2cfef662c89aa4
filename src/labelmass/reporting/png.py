"""Figures as PNG. Needs matplotlib (`pip install labelmass[figures]`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from labelmass.errors import LabelMassError
from labelmass.reporting import chart
from labelmass.reporting.chart import Bars, Dots, Figure, Heat, Line, Mark, Panel, Spans

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "text.parse_math": False,
    "text.color": chart.TEXT_LIGHT,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": chart.LINE_LIGHT,
    "legend.frameon": False,
}
DASHES = {"solid": "-", "dashed": "--", "dotted": ":"}


def save_png(figure: Figure, path: Path) -> None:
    """Draw it on white; LabelMassError without matplotlib."""
    try:
        import matplotlib
        from matplotlib.figure import Figure as Canvas
    except ImportError:
        raise LabelMassError("PNG needs matplotlib: pip install 'labelmass[figures]'") from None
    count = len(figure.panels)
    first = figure.panels[0]
    across = min(count, 2 if isinstance(first, Heat) else 4)
    down = -(-count // across)
    side = 1.8 + 0.32 * len(first.names) if isinstance(first, Heat) else 2.3
    with matplotlib.rc_context(cast("Any", STYLE)):
        canvas = Canvas(
            (max(side * across, 5.0), side * down + 0.4 + 0.2 * len(figure.marks)),
            layout="constrained",
        )
        grid = canvas.subplots(down, across, squeeze=False)
        every: list[Axes] = list(grid.flat)
        for axes, panel in zip(every, figure.panels, strict=False):
            axes.set_title(panel.title)
            _heat(axes, panel) if isinstance(panel, Heat) else _panel(axes, panel)
        for axes in every[count:]:
            axes.set_axis_off()
        entries: dict[str, Any] = {}
        for axes in every[:count]:
            handles, names = axes.get_legend_handles_labels()
            entries = dict(zip(names, handles, strict=True)) | entries
        if entries:
            canvas.legend(list(entries.values()), list(entries), loc="outside lower left")
        canvas.suptitle(figure.title)
        canvas.savefig(path, dpi=160, metadata={"Software": None})


def _panel(axes: Axes, panel: Panel) -> None:
    for mark in panel.marks:
        _mark(axes, mark)
    x, y = panel.x, panel.y
    axes.set(xlabel=x.label, xlim=(x.low, x.high), ylabel=y.label, ylim=(y.low, y.high))
    axes.set_xticks([value for value, _ in x.ticks], [text for _, text in x.ticks])
    axes.set_yticks([value for value, _ in y.ticks], [text for _, text in y.ticks])
    axes.grid(axis="y")


def _mark(axes: Axes, mark: Mark) -> None:
    if isinstance(mark, Bars):
        for number, (low, high, height) in enumerate(mark.bars):
            name = mark.name if number == 0 else None
            axes.bar(
                (low + high) / 2,
                height,
                (high - low) * 0.9,
                color=chart.SOFT_LIGHT,
                alpha=0.35,
                label=name,
            )
        return
    if isinstance(mark, Spans):
        x, low, high = ([one[i] for one in mark.spans] for i in range(3))
        axes.vlines(
            x, low, high, _colour(mark.colour), lw=5, alpha=0.4, label=mark.name or "_nothing"
        )
        return
    colour = _colour(mark.colour)
    if isinstance(mark, Line):
        x, y = ([one[i] for one in mark.points] for i in range(2))
        wide = 1.0 if mark.colour == chart.SOFT else 1.6
        axes.plot(x, y, color=colour, ls=DASHES[mark.dash], lw=wide, label=mark.name)
    elif isinstance(mark, Dots):
        hollow = list(mark.hollow) or [False] * len(mark.points)
        face = ["white" if empty else colour for empty in hollow]
        x, y = ([one[i] for one in mark.points] for i in range(2))
        axes.scatter(
            x, y, 22, c=face, edgecolors=colour, marker=mark.marker, label=mark.name, zorder=3
        )
    else:
        for x, y, text in mark.notes:
            axes.text(x, y, text, ha="center", fontsize=7, color=colour)


def _heat(axes: Axes, heat: Heat) -> None:
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap

    k = len(heat.names)
    shades = [
        [chart.shade(value, heat.most) if i != j else 0.0 for j, value in enumerate(row)]
        for i, row in enumerate(heat.values)
    ]
    fill = LinearSegmentedColormap.from_list("share", ["white", chart.HEAT_LIGHT])
    axes.imshow(np.array(shades), fill, vmin=0, vmax=1)
    axes.set_xticks(range(k), list(heat.names), rotation=90)
    axes.set_yticks(range(k), list(heat.names))
    for i, row in enumerate(heat.values):
        for j, value in enumerate(row):
            if value is not None:
                axes.text(j, i, chart.share(value), ha="center", va="center", fontsize=6)


def _colour(number: int) -> str:
    return chart.SOFT_LIGHT if number == chart.SOFT else chart.LIGHT[number % len(chart.LIGHT)]
