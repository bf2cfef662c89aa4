"""Options, input and output of the commands that fit a classifier; and those of using one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from labelmass.cli.fitting import people_options

F = TypeVar("F", bound=Callable[..., Any])


def _in_a_folder(context: click.Context, option: click.Parameter, file: str | None) -> str | None:
    if file is not None and not Path(file).parent.is_dir():
        raise click.BadParameter(f"there is no folder {Path(file).parent}: make it first")
    return file


def training_options(command: F) -> F:
    """--gold, --soft/--gold-targets, --group, --cross-fit, --out."""
    for option in (
        click.option(
            "--out", "folder", required=True, type=click.Path(file_okay=False), metavar="DIR"
        ),
        click.option(
            "--cross-fit",
            type=click.Path(dir_okay=False),
            callback=_in_a_folder,
            metavar="FILE",
            help="A .jsonl file of scores of TRAIN itself, each record's by a fit on the folds "
            "that it is not in: for `labelmass calibrate`.",
        ),
        people_options(soft=True),
    ):
        command = option(command)
    return command


def rule_option(command: F) -> F:
    """--rule."""
    return click.option(
        "--rule",
        "rules",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        help="Also select labels by an uncertainty rule that `labelmass fit rule` fitted.",
    )(command)


def classifier_options(command: F) -> F:
    """--probe, --encoder."""
    for option in (
        click.option(
            "--encoder",
            "encoders",
            multiple=True,
            type=click.Path(exists=True, file_okay=False),
            metavar="DIR",
            help="Also score by a classifier of texts that `labelmass fit encoder` fitted.",
        ),
        click.option(
            "--probe",
            "probes",
            multiple=True,
            type=click.Path(exists=True, file_okay=False),
            metavar="DIR",
            help="Also score by a probe of this model that `labelmass fit probe` fitted.",
        ),
    ):
        command = option(command)
    return command


def load_classifiers(options: dict[str, Any]) -> list[Any]:
    """What --probe and --encoder name; FitError for a folder that holds no such thing."""
    from labelmass.supervised import Classifier, States

    found: list[Any] = []
    for option, probes in (("probes", True), ("encoders", False)):
        for folder in options[option]:
            one = Classifier.load(folder)
            if isinstance(one.source, States) != probes:
                right = "--encoder" if probes else "--probe"
                raise click.UsageError(f"{folder} holds a {one.method}: name it with {right}")
            found.append(one)
    return found


def load_rules(paths: Sequence[str]):
    """Fitted rules from their files; MethodError names the file that is none."""
    from labelmass.estimators.selection import Selection

    return [Selection.load(path) for path in paths]


def keep_fitted(fitted: Any, folder: str, cross_fit: str | None) -> None:
    """Write what was fitted, say which records were left out, and show the table of labels."""
    if cross_fit is not None:
        fitted.cross_fitted().save(cross_fit)
    fitted.save(folder)
    for name, error in fitted.skipped[:5]:
        click.echo(f"left out {name!r}: {error}", err=True)
    if fitted.skipped:
        file = Path(folder) / "skipped.jsonl"
        click.echo(f"{len(fitted.skipped)} records left out, see {file}", err=True)
    show_fit(fitted.classifier, folder)


def show_fit(classifier: Any, folder: str) -> None:
    """The table of labels, notes, and where it went."""
    from rich.console import Console
    from rich.table import Table

    heads = classifier.heads
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("label", overflow="fold")
    for head in ("positives", "C", "NLL", "base rate"):
        table.add_column(head, justify="right")
    table.add_column("")
    total = [0.0, 0.0]
    for label, one in zip(heads.labels, heads.heads, strict=True):
        losses = [one.nll or 0.0, one.base_nll or 0.0]
        total = [t + loss * one.records for t, loss in zip(total, losses, strict=True)]
        table.add_row(
            label,
            f"{one.positives:.1f} of {one.records}",
            "" if one.strength is None else f"{one.strength:g}",
            *("" if loss is None else f"{loss:.3f}" for loss in (one.nll, one.base_nll)),
            one.about,
        )
    cells = max(sum(one.records for one in heads.heads), 1)
    table.add_section()
    table.add_row("all", "", "", *(f"{t / cells:.3f}" for t in total), "")
    Console().print(table)
    told = classifier.provenance
    click.echo(
        f"{classifier.method}, fitted on {told['records']} records, {told['targets']}; NLL a cell "
        f"in nats, on {told['folds']} folds it has not seen"
    )
    click.echo(f"{classifier.mark} -> {Path(folder)}", err=True)
