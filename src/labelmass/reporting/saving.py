"""The figures of a report as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from labelmass.files.writing import write_json
from labelmass.present.drawing import save_figure
from labelmass.present.figures import Figure


def save_figures(drawn: Mapping[str, Mapping[str, Figure]], folder: Path) -> list[Path]:
    """NAME.svg, .png and .json of every figure; in a folder a model where there are several.

    The same numbers give the same files. LabelMassError without matplotlib.
    """
    saved: list[Path] = []
    for model, figures in drawn.items():
        target = folder / model if len(drawn) > 1 else folder
        target.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            numbers = target / f"{name}.json"
            write_json(numbers, figure.numbers)
            saved += [*save_figure(figure, target), numbers]
    return saved
