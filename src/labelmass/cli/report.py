"""`labelmass report`: runs as one HTML page."""

from __future__ import annotations

import click

from labelmass.cli.fitting import calibrator_options, scores_by_option
from labelmass.cli.options import warn_of_changes


@click.command("report")
@click.argument(
    "runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False)
)
@click.option("--out", type=click.Path(dir_okay=False), default="report.html", show_default=True)
@scores_by_option
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Try the thresholds that `labelmass tune` found. Default: the comparison's.",
)
@calibrator_options
@click.option(
    "--figures",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Also each figure as SVG and PNG, and its numbers as JSON.",
)
def command(
    runs: tuple[str, ...],
    out: str,
    scores_by: str | None,
    figures: str | None,
    policy_file: str | None,
    calibrator: str | None,
    force: bool,
) -> None:
    """A page that a person opens: what was asked, how the methods compare, and where they fail.

    RUN is a folder that `labelmass compare` wrote. The page is one file, needs no network and holds
    every number of its figures. No model is needed. Thresholds can be moved on the page, and be
    saved as a policy file.

    \b
    Examples:
      labelmass report run
      labelmass report run --scores-by max-over-generations --out report.html --figures figures
      labelmass report run --policy policy.toml
      labelmass report run-small run-large --out sizes.html
    """
    from labelmass.calibration import Calibrator
    from labelmass.decisions import Policy
    from labelmass.reporting import report

    if calibrator is not None and policy_file is None:
        raise click.UsageError("--calibrator is what a policy's scores go through: name a --policy")
    policy = None if policy_file is None else Policy.load(policy_file)
    through = None if calibrator is None else Calibrator.load(calibrator)
    for run in runs:
        warn_of_changes(run)
    written = report(
        runs,
        out,
        method=scores_by,
        policy=policy,
        calibrator=through,
        force=force,
        figures=figures,
    )
    for path in written:
        click.echo(f"saved {path}", err=True)
