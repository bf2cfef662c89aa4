"""`labelmass drift`: are new scores still of the kind that a policy was made on?"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import ClassVar

import click

from labelmass._settings import REQUIRED, setting
from labelmass.cli.declare import as_command
from labelmass.cli.exits import Exit
from labelmass.cli.fitting import read_for_policy
from labelmass.cli.options import CalibratorOptions
from labelmass.decisions import Policy
from labelmass.decisions.drift import MASSES, Drift
from labelmass.errors import FitError
from labelmass.workflows.decision import drift


@dataclass(frozen=True, kw_only=True)
class DriftOptions:
    section: ClassVar[str] = "Comparison"

    policy: str = setting(REQUIRED, "Policy from `labelmass tune`.", path="file")
    strict: bool = setting(False, "Exit with 2 if there is a warning.")


@as_command("drift")
@click.argument("scores", type=click.Path(exists=True))
def command(scores: str, by: CalibratorOptions, options: DriftOptions) -> None:
    """Warn, with numbers, where the scores in SCORES differ from those a policy was made on.

    It compares the share given each label, the distribution of its scores, off-format mass, what of
    a verdict could be read, how many records have no score, and what the signatures say of model,
    tokenizer, task and method. It sees no labels: scores that look alike are not shown to be right
    still.

    \b
    Example:
      labelmass drift today.jsonl --policy policy.toml --strict
    """
    path = options.policy
    policy = Policy.load(path)
    if policy.reference is None:
        raise FitError(f"{path} remembers no scores to compare with: make it with `labelmass tune`")
    scored = read_for_policy(scores, policy, by)
    result = drift(scored, policy, force=by.force)
    _show(result, policy.reference.records)
    for warning in result.warnings:
        click.echo(f"warning: {warning}")
    if not result.warnings:
        click.echo("no change beyond chance")
    elif options.strict:
        sys.exit(Exit.FELL_SHORT)


def _show(found: Drift, then: int) -> None:
    from rich.console import Console

    from labelmass.present.tables import Table

    head = ["label", f"given of {then}", f"of {found.records}", "KS distance", "stability index"]
    rows = [
        [
            label.label,
            f"{label.rate_then:.1%}",
            f"{label.rate:.1%}",
            f"{label.distance:.3f}",
            f"{label.stability:.3f}",
        ]
        for label in found.labels
    ]
    Console().print(Table("", head, rows))
    for name, (before, now, _) in found.masses.items():
        click.echo(f"{MASSES[name]} {before:.3f} then, {now:.3f} now")
