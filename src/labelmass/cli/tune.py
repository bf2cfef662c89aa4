"""`labelmass tune`: thresholds for a goal, with a promise where one is asked for."""

from __future__ import annotations

from typing import Any

import click

from labelmass._ranges import BETWEEN, SHARE
from labelmass.cli.fitting import calibrator_options, fitting_options, read_fitting, read_through
from labelmass.cli.judging import read_targets
from labelmass.cli.numbers import number


def _policy_file(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not value.lower().endswith((".toml", ".json")):
        raise click.BadParameter("its name must end in .toml or .json")
    return value


@click.command("tune")
@click.argument("scores", type=click.Path(exists=True))
@fitting_options(soft=False)
@calibrator_options
@click.option(
    "--goal",
    metavar="GOAL",
    help="f1, precision>=0.9, recall>=0.9, fpr<=0.05, cost=1:5 (false positive : miss), majority. "
    "Default: what the review options give.",
)
@click.option(
    "--guarantee",
    type=click.Choice(["none", "ltt", "crc"]),
    default="none",
    show_default=True,
    help="ltt: with confidence, all labels at once. crc: in expectation, each by itself.",
)
@click.option("--confidence", type=number(BETWEEN), default=0.95, show_default=True, help="Of ltt.")
@click.option("--shared/--per-label", default=False, help="One threshold for all labels.")
@click.option("--review-budget", type=number(SHARE), metavar="SHARE", help="Of records.")
@click.option(
    "--review-risk",
    type=number(SHARE),
    metavar="SHARE",
    help="Of errors among what is decided without review.",
)
@click.option(
    "--action",
    type=click.Choice(["flag", "review", "block", "allow"]),
    default="flag",
    show_default=True,
    help="What a label at or above its threshold brings.",
)
@click.option(
    "--order-data",
    metavar="DATA",
    help="Other records that SCORES holds: ltt tests thresholds in the order they suggest.",
)
@click.option(
    "--out", required=True, callback=_policy_file, type=click.Path(dir_okay=False), metavar="POLICY"
)
def command(scores: str, out: str, **options: Any) -> None:
    """Thresholds for the scores in SCORES from what people said in DATA, as a policy file.

    The policy is made to be read and edited; a threshold moved by hand loses its guarantee. Targets
    are gold sets unless --soft. The table says what each threshold gives on DATA.

    \b
    Examples:
      labelmass tune scores.jsonl --targets dev.jsonl -t emotions --goal f1 --out policy.toml
      labelmass tune scores.jsonl --targets dev.jsonl -t llama-guard-3 --goal "precision>=0.9" \\
          --guarantee ltt --review-budget 0.1 --action block --out policy.toml
    """
    from labelmass.decide import Goal
    from labelmass.run.tuning import Promise, tune

    goal = options["goal"]
    promise = Promise(
        None if goal is None else Goal.parse(goal),
        options["guarantee"],
        options["confidence"],
        options["shared"],
        options["review_budget"],
        options["review_risk"],
    )
    scored, targets, task = read_fitting(scores, options)
    scored, calibrator = read_through(scored, options)
    order = None
    if options["order_data"] is not None:
        order = read_targets(options["order_data"], task, options["gold"], options["group"])
    found = tune(
        scored,
        targets,
        promise,
        soft=options["soft"],
        action=options["action"],
        order=order,
        calibrator=calibrator,
    )
    found.policy.save(out)
    _show(found)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"{scored.method}, {found.policy.records} records -> {out}", err=True)


def _show(found: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("label", overflow="fold")
    for head in ("from", "precision", "recall", "review"):
        table.add_column(head, justify="right")
    table.add_column("promise", overflow="fold")
    for row, rule in zip(found.achieved, found.policy.rules.values(), strict=True):
        table.add_row(
            row.label,
            "never" if rule.threshold is None else f"{rule.threshold:.4g}",
            _share(row.precision, row.given),
            _share(row.recall, row.positives),
            f"{row.review:.1%}",
            _promise(rule),
        )
    Console().print(table)
    click.echo(f"{found.review:.1%} of {found.policy.records} records go to review")


def _share(value: float | None, of: float) -> str:
    return "" if value is None else f"{value:.3f} of {of:g}"


def _promise(rule: Any) -> str:
    """The guarantee in a few words; the policy file has it in a sentence."""
    found = rule.guarantee
    if found is None:
        return "" if rule.threshold is not None else rule.note
    sign = ">=" if found.kind in ("precision", "recall") else "<="
    goal = f"{found.kind} {sign} {found.level:g}"
    if found.threshold is None:
        if found.needed is None:
            return f"not {goal}: no number of records would do at these rates"
        return f"not {goal}: about {found.needed} labelled records would do"
    sure = "in expectation" if found.confidence is None else f"{found.confidence:.0%} sure"
    return f"{goal}, {sure}"
