"""`labelmass report`: runs as one HTML page."""

from __future__ import annotations

from dataclasses import dataclass

import click

from labelmass._settings import setting
from labelmass.calibration import Calibrator
from labelmass.cli.declare import as_command
from labelmass.cli.models import warn_of_changes
from labelmass.cli.options import CalibratorOptions
from labelmass.cli.progress import say
from labelmass.decisions import Policy


@dataclass(frozen=True, kw_only=True)
class Page:
    out: str = setting("report.html", "File of the page.", path="new file")
    policy: str | None = setting(
        None,
        "Policy from `labelmass tune` whose thresholds are shown. Default: the comparison's.",
        path="file",
    )
    by: str | None = setting(
        None,
        "Field of the records that names groups; errors are counted in each.",
        metavar="FIELD",
    )
    figures: str | None = setting(
        None, "Folder for each figure as SVG and PNG, and its numbers as JSON.", path="new folder"
    )


@as_command("report")
@click.argument(
    "runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False)
)
def command(runs: tuple[str, ...], scores: CalibratorOptions, page: Page) -> None:
    """A page that a person opens: what was asked, how the methods compare, and where they fail.

    RUN is a folder that `labelmass compare` wrote. The page is one file, needs no network and holds
    every number of its figures. No model is needed. Thresholds can be moved on the page, and be
    saved as a policy file.

    \b
    Examples:
      labelmass report run
      labelmass report run --scores-by max-over-generations --out report.html --figures figures
      labelmass report run --policy policy.toml --by dialect
      labelmass report run-small run-large --out sizes.html
    """
    from labelmass.reporting import report

    if scores.calibrator is not None and page.policy is None:
        raise click.UsageError("--calibrator is what a policy's scores go through: name a --policy")
    policy = None if page.policy is None else Policy.load(page.policy)
    calibrator = None if scores.calibrator is None else Calibrator.load(scores.calibrator)
    for run in runs:
        warn_of_changes(run)
    written = report(
        runs,
        page.out,
        method=scores.scores_by,
        policy=policy,
        calibrator=calibrator,
        force=scores.force,
        figures=page.figures,
        by=page.by,
    )
    for path in written:
        say(f"saved {path}")
