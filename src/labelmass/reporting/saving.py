"""The figures of a report as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from labelmass.files.writing import write_json, write_text
from labelmass.reporting.chart import Figure
from labelmass.reporting.png import save_png
from labelmass.reporting.svg import standalone


def save_figures(drawn: Mapping[str, Mapping[str, Figure]], folder: Path) -> list[Path]:
    """NAME.svg, .png and .json of every figure; in a folder a model where there are several.

    The same numbers give the same files. LabelMassError without matplotlib.
    """
    saved: list[Path] = []
    for model, figures in drawn.items():
        target = folder / model if len(drawn) > 1 else folder
        target.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            paths = [target / f"{name}.{ending}" for ending in ("svg", "png", "json")]
            save_png(figure, paths[1])
            write_text(paths[0], standalone(figure) + "\n")
            write_json(paths[2], figure.numbers)
            saved += paths
    return saved
