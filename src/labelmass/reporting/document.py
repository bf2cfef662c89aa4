"""Report: a run of `labelmass compare`, or several, as one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from labelmass.calibration import Calibrator
from labelmass.decisions import Policy
from labelmass.errors import LabelMassError
from labelmass.files.writing import write_json, write_text
from labelmass.present.drawing import save_figure
from labelmass.present.figures import Figure
from labelmass.reporting.explorer import explorers
from labelmass.reporting.page import draw, page
from labelmass.reporting.report_data import gather


def report(
    runs: str | Path | Sequence[str | Path],
    out: str | Path = "report.html",
    *,
    method: str | None = None,
    policy: Policy | None = None,
    calibrator: Calibrator | None = None,
    force: bool = False,
    figures: str | Path | None = None,
    by: str | None = None,
) -> list[Path]:
    """Write a page that a person opens, and what was written: one file that needs no network.

    Args:
        runs: Folders that `labelmass.compare` wrote.
        method: Whose figures are drawn; None for the first.
        policy: The thresholds that can be moved on the page; None for the comparison's.
        calibrator: Calibrator that the policy's scores go through.
        force: Whatever kind of scores these are.
        figures: A folder for each figure as SVG and PNG, and its numbers as JSON.
        by: Field of the records that names the groups in which errors are counted.
    """
    if calibrator is not None and policy is None:
        raise LabelMassError("a calibrator is what a policy's scores go through: name a policy")
    folders = [runs] if isinstance(runs, str | Path) else list(runs)
    gathered = [gather(run, method, by) for run in folders]
    tried = explorers(gathered, policy, calibrator, force=force)
    drawn = [draw(run, one) for run, one in zip(gathered, tried, strict=True)]
    written = [Path(out)]
    write_text(written[0], page(gathered, drawn, tried))
    if figures is not None:
        for run, one in zip(gathered, drawn, strict=True):
            folder = Path(figures) / run.name if len(folders) > 1 else Path(figures)
            written += save_figures(one, folder)
    return written


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
