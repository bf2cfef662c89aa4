"""`labelmass decide`: a policy applied to scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import click

from labelmass._settings import REQUIRED, setting
from labelmass.cli.declare import as_command
from labelmass.cli.fitting import read_for_policy
from labelmass.cli.options import CalibratorOptions
from labelmass.cli.progress import say
from labelmass.decisions import Decisions, Policy
from labelmass.decisions.decisions import check_ending


def _out_file(name: str) -> str:
    check_ending(name)
    return name


@dataclass(frozen=True, kw_only=True)
class DecisionOptions:
    section: ClassVar[str] = "Decisions"

    policy: str = setting(REQUIRED, "Policy from `labelmass tune`.", path="file")
    out: str | None = setting(
        None, "File of decisions, .jsonl or .csv.", path="new file", parse=_out_file
    )


@as_command("decide")
@click.argument("scores", type=click.Path(exists=True))
def command(scores: str, by: CalibratorOptions, options: DecisionOptions) -> None:
    """Apply a policy from `labelmass tune` to the records in SCORES.

    Each record gets an action for each label, and the strictest of them. A label whose interval
    lies on both sides of a threshold goes to review: `labelmass score --policy` explores such
    records further. A record without scores goes to review, and so does what a guard wrote that
    cannot be read, where it could change an action.

    \b
    Examples:
      labelmass decide scores.jsonl --policy policy.toml --out decisions.jsonl
      labelmass decide scores.jsonl --policy policy.toml --calibrator cal.json
    """
    policy = Policy.load(options.policy)
    scored = read_for_policy(scores, policy, by)
    result = scored.decide(policy, force=by.force)
    _show(result)
    if options.out is not None:
        result.save(options.out)
        say(f"{len(result.ids)} records -> {options.out}")


def _show(found: Decisions) -> None:
    from rich.console import Console

    from labelmass.present.tables import Table

    total = len(found.outcomes)
    actions = [
        [action, str(count), f"{count / total:.1%}"] for action, count in found.counts.items()
    ]
    labels: list[list[str]] = []
    for at, label in enumerate(found.labels):
        given, review = ((found.outcomes[:, at] == outcome).sum() for outcome in (2, 1))
        labels.append([label, str(given), str(review), str(found.straddles[:, at].sum())])
    console = Console()
    console.print(Table("", ["records"], actions))
    console.print()
    console.print(Table("", ["label", "given", "review", "straddling"], labels))
    if straddling := int((found.straddles & ~found.unreadable).any(axis=1).sum()):
        click.echo(
            f"{straddling} records straddle a threshold: `labelmass score --policy` may settle them"
        )
    if unreadable := int(found.unreadable.any(axis=1).sum()):
        click.echo(
            f"{unreadable} records have mass behind a risk verdict that cannot be read, which "
            "could change an action"
        )
    if silent := int(found.no_verdict.sum()):
        click.echo(f"{silent} records give too little of a verdict: what they pass is in review")
