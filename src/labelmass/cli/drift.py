"""`labelmass drift`: are new scores still of the kind that a policy was made on?"""

from __future__ import annotations

import sys
from typing import Any

import click

from labelmass.cli.exits import Exit
from labelmass.cli.fitting import calibrator_options, read_for_policy, scores_by_option


@click.command("drift")
@click.argument("scores", type=click.Path(exists=True))
@click.option("--policy", "path", required=True, type=click.Path(exists=True, dir_okay=False))
@scores_by_option
@calibrator_options
@click.option("--strict", is_flag=True, help="Exit with 2 if there is a warning.")
def command(scores: str, path: str, strict: bool, **options: Any) -> None:
    """Warn, with numbers, where the scores in SCORES differ from those a policy was made on.

    It compares the share given each label, the distribution of its scores, off-format mass, what of
    a verdict could be read, how many records have no score, and what the signatures say of model,
    tokenizer, task and method. It sees no labels: scores that look alike are not shown to be right
    still.

    \b
    Example:
      labelmass drift today.jsonl --policy policy.toml --strict
    """
    from labelmass.decisions import Policy
    from labelmass.errors import FitError
    from labelmass.workflows.decision import drift

    policy = Policy.load(path)
    if policy.reference is None:
        raise FitError(f"{path} remembers no scores to compare with: make it with `labelmass tune`")
    scored = read_for_policy(scores, policy, options)
    found = drift(scored, policy, force=options["force"])
    _show(found, policy.reference.records)
    for warning in found.warnings:
        click.echo(f"warning: {warning}")
    if not found.warnings:
        click.echo("no change beyond chance")
    elif strict:
        sys.exit(Exit.FELL_SHORT)


def _show(found: Any, then: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from labelmass.decisions.drift import MASSES

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("label", overflow="fold")
    for head in (f"given of {then}", f"of {found.records}", "KS distance", "stability index"):
        table.add_column(head, justify="right")
    for one in found.labels:
        shares = (f"{rate:.1%}" for rate in (one.rate_then, one.rate))
        table.add_row(one.label, *shares, f"{one.distance:.3f}", f"{one.stability:.3f}")
    Console().print(table)
    for name, (before, now, _) in found.masses.items():
        click.echo(f"{MASSES[name]} {before:.3f} then, {now:.3f} now")
