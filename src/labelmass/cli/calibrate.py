"""`labelmass calibrate`: fit the map from scores to human labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click

from labelmass._ranges import BETWEEN, SEED
from labelmass._settings import REQUIRED, setting
from labelmass.calibration import HoldOut
from labelmass.cli.declare import as_command
from labelmass.cli.fitting import read_training_input
from labelmass.cli.options import (
    ScoresByOptions,
    TargetsOptions,
    TaskOptions,
    calibration_method_setting,
)
from labelmass.cli.progress import say, show_status
from labelmass.task.record import Fields
from labelmass.workflows.calibration import Calibration, calibrate


@dataclass(frozen=True, kw_only=True)
class Fit:
    calibration_method: str | None = calibration_method_setting("platt")
    shared: bool | None = setting(
        None,
        "One curve for all labels, or one per label (the default; auto takes the better).",
        "--shared/--per-label",
    )
    hold_out: float | None = setting(
        None,
        "Share of the records kept out of the fit for `labelmass tune`.",
        within=BETWEEN,
        metavar="SHARE",
    )
    seed: int = setting(0, "Seed of folds and hold-out.", within=SEED)


@dataclass(frozen=True, kw_only=True)
class Output:
    section: ClassVar[str] = "Output"

    out: str = setting(REQUIRED, "File of the calibrator, .json.", path="new file")


@as_command("calibrate")
@click.argument("scores", type=click.Path(exists=True))
def command(
    scores: str,
    task: TaskOptions,
    by: ScoresByOptions,
    annotations: TargetsOptions,
    records: Fields,
    fit: Fit,
    output: Output,
) -> None:
    """Fit the map from the scores in SCORES to the human labels in DATA.

    SCORES is a .jsonl, .csv or .parquet score file, ours or another system's, or a folder of saved
    trees. The table sets raw scores against calibrated ones, each from a fit that has not seen its
    record: the log-loss a cell (NLL, nats), and the calibration error (ECE).

    \b
    Examples:
      labelmass calibrate scores.jsonl --targets dev.jsonl --task emotions --out cal.json
      labelmass calibrate trees/ --targets dev.jsonl --calibration-method auto --out cal.json
      labelmass score texts.jsonl --task emotions --calibrator cal.json --out calibrated.jsonl
    """
    scored, targets, _ = read_training_input(scores, task, by, annotations, records)
    with show_status("fitting"):
        result = calibrate(
            scored,
            targets,
            method=fit.calibration_method or "platt",
            shared=fit.shared,
            hold_out=None if fit.hold_out is None else HoldOut(fit.hold_out, fit.seed),
            soft=annotations.soft,
            seed=fit.seed,
        )
    result.calibrator.save(Path(output.out))
    _show(result)
    say(f"{scored.method} -> {output.out}  {result.calibrator.digest}")


def _show(found: Calibration) -> None:
    from rich.console import Console

    from labelmass.present.tables import Head, Table

    calibrator, rows = found.calibrator, found.evaluation.methods
    raw, after = rows["raw"].scores, rows["calibrated"].scores

    def loss_cells(label: str | None) -> list[str]:
        cells: list[str] = []
        for metric in ("nll-cell", "ece"):
            for row in (raw, after):
                value = row[metric].value if label is None else row[metric].labels.get(label)
                cells.append("" if value is None else f"{value:.3f}")
        return cells

    curves = calibrator.curves * (len(calibrator.labels) if calibrator.shared else 1)
    lines: list[list[str]] = []
    for label, curve in zip(calibrator.labels, curves, strict=True):
        about = "all labels" if calibrator.shared else "its own"
        if curve.borrowed and not calibrator.shared:
            about = f"few: borrows {curve.borrowed:g}"
        positives = "" if calibrator.shared else f"{curve.positives:.1f} of {curve.records}"
        lines.append([label, positives, *loss_cells(label), about])
    lines.append(["all", "", *loss_cells(None)])
    heads = ["positives", "NLL raw", "calibrated", "ECE raw", "calibrated"]
    Console().print(Table("", ["label", *heads, Head("fitted on", prose=True)], lines))
    for line in (*found.summary, *calibrator.notes):
        click.echo(line)
