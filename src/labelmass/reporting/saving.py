"""The figures of a report as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

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
            paths[0].write_text(standalone(figure) + "\n", encoding="utf-8")
            text = json.dumps(figure.numbers, ensure_ascii=False, allow_nan=False, indent=1)
            paths[2].write_text(text + "\n", encoding="utf-8")
            saved += paths
    return saved
