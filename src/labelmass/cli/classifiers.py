"""Classifiers and rules that a command line names, and the output of those that fit some."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from labelmass.cli.options import BaseMethodOptions
from labelmass.cli.progress import say
from labelmass.estimators.selection import Selection
from labelmass.supervised import Classifier, HiddenStateFeatures
from labelmass.workflows.fitting import Fitted


def load_classifiers(options: BaseMethodOptions) -> list[Classifier]:
    """Load the folders of --probe and --encoder; FitError for one that holds no classifier."""
    results: list[Classifier] = []
    for folders, probes in ((options.probes, True), (options.encoders, False)):
        for folder in folders:
            one = Classifier.load(folder)
            if isinstance(one.source, HiddenStateFeatures) != probes:
                right = "--encoder" if probes else "--probe"
                raise click.UsageError(f"{folder} holds a {one.method}: name it with {right}")
            results.append(one)
    return results


def load_rules(paths: Sequence[str]) -> list[Selection]:
    """Fitted rules from their files; MethodError names the file that is none."""
    return [Selection.load(path) for path in paths]


def report_skipped(skipped: Sequence[tuple[str | int, str]], folder: str) -> None:
    """The first records that were left out, and where all are listed."""
    for name, error in skipped[:5]:
        say(f"left out {name!r}: {error}")
    if skipped:
        say(f"{len(skipped)} records left out, see {Path(folder) / 'skipped.jsonl'}")


def keep_fitted(fitted: Fitted, folder: str, cross_fit: str | None) -> None:
    """Write what was fitted, say which records were left out, and show the table of labels."""
    if cross_fit is not None:
        fitted.cross_fitted().save(cross_fit)
    fitted.save(folder)
    report_skipped(fitted.skipped, folder)
    show_fit(fitted.classifier, folder)


def show_fit(classifier: Classifier, folder: str) -> None:
    """The table of labels, notes, and where it went."""
    from rich.console import Console

    from labelmass.present.tables import Head, Table

    heads = classifier.heads
    rows: list[list[str]] = []
    total = [0.0, 0.0]
    for label, one in zip(heads.labels, heads.heads, strict=True):
        losses = [one.nll or 0.0, one.base_nll or 0.0]
        total = [t + loss * one.records for t, loss in zip(total, losses, strict=True)]
        rows.append(
            [
                label,
                f"{one.positives:.1f} of {one.records}",
                "" if one.strength is None else f"{one.strength:g}",
                *("" if loss is None else f"{loss:.3f}" for loss in (one.nll, one.base_nll)),
                one.about,
            ]
        )
    cells = max(sum(one.records for one in heads.heads), 1)
    rows.append(["all", "", "", *(f"{t / cells:.3f}" for t in total)])
    head = ["label", "positives", "C", "NLL", "base rate", Head("", prose=True)]
    Console().print(Table("", head, rows))
    told = classifier.provenance
    click.echo(
        f"{classifier.method}, fitted on {told['records']} records, {told['targets']};\n"
        f"NLL per cell in nats, cross-validated over {told['folds']} folds"
    )
    say(f"{classifier.mark} -> {Path(folder)}")
