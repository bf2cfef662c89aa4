"""`labelmass select`: fit the threshold of an uncertainty rule."""

from __future__ import annotations

from collections.abc import Sequence

import click

from labelmass._ranges import Range
from labelmass.cli.numbers import number
from labelmass.cli.options import warn_of_changes


@click.command("select")
@click.argument("trees", type=click.Path(exists=True, file_okay=False))
@click.option(
    "--rule",
    required=True,
    type=click.Choice(["probability", "entropy", "logtoku"]),
    metavar="RULE",
)
@click.option("--gold", default="labels", show_default=True, help="Field of the true labels.")
@click.option(
    "--most",
    type=number(Range(2, whole=True)),
    default=2,
    show_default=True,
    help="Labels of a sure record.",
)
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="A .json file.")
def command(trees: str, rule: str, gold: str, most: int, out: str) -> None:
    """Fit the threshold of an uncertainty rule (probability, entropy or logtoku).

    TREES is a folder that --keep-trees wrote, of records with their true labels. Records the
    threshold was fitted on are refused when it is used: score others with it.

    \b
    Example:
      labelmass score train.jsonl --task llama-guard-3 --keep-trees train --out train-scores.jsonl
      labelmass select train --rule logtoku --out logtoku.json
      labelmass score test.jsonl --task llama-guard-3 --rule logtoku.json
    """
    from labelmass.workflows.fitting import fit_rule

    warn_of_changes(trees)
    fitted = fit_rule(trees, rule, gold=gold, most=most)
    fitted.save(out)
    click.echo(f"{fitted.name}, fitted on {len(fitted.fitted_on)} records -> {out}", err=True)


def load_rules(paths: Sequence[str]):
    """Fitted rules from their files; MethodError names the file that is none."""
    from labelmass.estimators.selection import Selection

    return [Selection.load(path) for path in paths]
