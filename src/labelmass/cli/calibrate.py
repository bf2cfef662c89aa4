"""`labelmass calibrate`: fit the map from scores to what people say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from labelmass._ranges import BETWEEN, SEED
from labelmass.cli.fitting import fitting_options, read_fitting
from labelmass.cli.judging import calibration_method_option
from labelmass.cli.numbers import number


@click.command("calibrate")
@click.argument("scores", type=click.Path(exists=True))
@fitting_options(soft=True)
@calibration_method_option
@click.option(
    "--shared/--per-label",
    default=None,
    help="One curve for all labels, or one each (the default; auto takes what is better).",
)
@click.option(
    "--hold-out",
    type=number(BETWEEN),
    metavar="SHARE",
    help="Of the records, kept out of the fit for `labelmass tune`.",
)
@click.option(
    "--seed", type=number(SEED), default=0, show_default=True, help="Of folds and hold-out."
)
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="A .json file.")
def command(scores: str, out: str, **options: Any) -> None:
    """Fit the map from the scores in SCORES to what people said in DATA.

    SCORES is a .jsonl, .csv or .parquet score file, ours or another system's, or a folder of saved
    trees. The table sets raw scores against calibrated ones, each from a fit that has not seen its
    record: the log-loss a cell (NLL, nats), and the calibration error (ECE).

    \b
    Examples:
      labelmass calibrate scores.jsonl --targets dev.jsonl --task emotions --out cal.json
      labelmass calibrate trees/ --targets dev.jsonl --calibration-method auto --out cal.json
      labelmass score texts.jsonl --task emotions --calibrator cal.json --out calibrated.jsonl
    """
    from rich.console import Console

    from labelmass.calibration import HoldOut
    from labelmass.workflows.calibration import calibrate

    scored, targets, _ = read_fitting(scores, options)
    share = options["hold_out"]
    with Console(stderr=True).status("fitting"):
        found = calibrate(
            scored,
            targets,
            method=options["calibration_method"] or "platt",
            shared=options["shared"],
            hold_out=None if share is None else HoldOut(share, options["seed"]),
            soft=options["soft"],
            seed=options["seed"],
        )
    found.calibrator.save(Path(out))
    _show(found)
    click.echo(f"{scored.method} -> {out}  {found.calibrator.digest}", err=True)


def _show(found: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    calibrator, rows = found.calibrator, found.evaluation.methods
    raw, after = rows["raw"].scores, rows["calibrated"].scores
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("label", overflow="fold")
    heads = "positives", "NLL raw", "calibrated", "ECE raw", "calibrated"
    for head in heads:
        table.add_column(head, justify="right")
    table.add_column("fitted on")

    def judged(label: str | None) -> list[str]:
        cells: list[str] = []
        for metric in ("nll-cell", "ece"):
            for row in (raw, after):
                value = row[metric].value if label is None else row[metric].labels.get(label)
                cells.append("" if value is None else f"{value:.3f}")
        return cells

    curves = calibrator.curves * (len(calibrator.labels) if calibrator.shared else 1)
    for label, curve in zip(calibrator.labels, curves, strict=True):
        about = "all labels" if calibrator.shared else "its own"
        if curve.borrowed and not calibrator.shared:
            about = f"few: borrows {curve.borrowed:g}"
        positives = "" if calibrator.shared else f"{curve.positives:.1f} of {curve.records}"
        table.add_row(label, positives, *judged(label), about)
    table.add_section()
    table.add_row("all", "", *judged(None), "")
    Console().print(table)
    for line in (*found.summary, *calibrator.notes):
        click.echo(line)
