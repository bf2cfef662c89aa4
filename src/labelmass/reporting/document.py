"""Report: a run of `labelmass compare`, or several, as one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labelmass.calibration import Calibrator
from labelmass.decisions import Policy
from labelmass.errors import LabelMassError
from labelmass.files.writing import write_text
from labelmass.reporting.explorer import explorers
from labelmass.reporting.gather import gather
from labelmass.reporting.page import draw, page
from labelmass.reporting.saving import save_figures


def report(
    runs: str | Path | Sequence[str | Path],
    out: str | Path = "report.html",
    *,
    method: str | None = None,
    policy: Policy | None = None,
    calibrator: Calibrator | None = None,
    force: bool = False,
    figures: str | Path | None = None,
) -> list[Path]:
    """Write a page that a person opens, and what was written: one file that needs no network.

    runs: folders that `labelmass.compare` wrote. method: whose figures are drawn; None for the
    first. policy: the thresholds that can be moved on the page; None for the comparison's.
    calibrator: what the policy's scores go through. force: whatever kind of scores these are.
    figures: a folder for each figure as SVG and PNG, and its numbers as JSON.
    """
    if calibrator is not None and policy is None:
        raise LabelMassError("a calibrator is what a policy's scores go through: name a policy")
    folders = [runs] if isinstance(runs, str | Path) else list(runs)
    gathered = [gather(run, method) for run in folders]
    drawn = [draw(run) for run in gathered]
    tried = explorers(gathered, policy, calibrator, force=force)
    written = [Path(out)]
    write_text(written[0], page(gathered, drawn, tried))
    if figures is not None:
        for run, one in zip(gathered, drawn, strict=True):
            folder = Path(figures) / run.name if len(folders) > 1 else Path(figures)
            written += save_figures(one, folder)
    return written
