"""`labelmass tune`: thresholds for a goal, with a promise where one is asked for."""

from __future__ import annotations

import sys
from typing import Any

import click

from labelmass._ranges import BETWEEN, SHARE
from labelmass.cli.exits import Exit
from labelmass.cli.fitting import calibrator_options, fitting_options, read_fitting, read_through
from labelmass.cli.judging import read_targets
from labelmass.cli.numbers import number
from labelmass.decisions import UNMET
from labelmass.decisions.rule import ACTIONS
from labelmass.workflows.tuning import GUARANTEES


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
    type=click.Choice(GUARANTEES),
    default="none",
    show_default=True,
    help="ltt: with confidence, all labels at once. crc: in expectation, each by itself.",
)
@click.option("--confidence", type=number(BETWEEN), default=0.95, show_default=True, help="Of ltt.")
@click.option(
    "--unmet",
    type=click.Choice(UNMET),
    help="What becomes of a label whose goal no threshold reaches, or that nothing can be promised "
    "of: review every record, the best threshold without a promise, always give it, never give it. "
    "Default: review for recall, never for other goals.",
)
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
    type=click.Choice(ACTIONS),
    default="flag",
    show_default=True,
    help="What a label at or above its threshold brings.",
)
@click.option(
    "--order-data",
    metavar="DATA",
    help="Other records that SCORES holds: ltt tests thresholds in the order they suggest.",
)
@click.option("--strict", is_flag=True, help="Exit with 2 if a label's goal or promise is not met.")
@click.option(
    "--out", required=True, callback=_policy_file, type=click.Path(dir_okay=False), metavar="POLICY"
)
def command(scores: str, out: str, strict: bool, **options: Any) -> None:
    """Thresholds for the scores in SCORES from what people said in DATA, as a policy file.

    The policy is made to be read and edited; a threshold moved by hand loses its guarantee. Targets
    are gold sets unless --soft. The table says what each threshold gives on DATA, the last line
    which labels have no promise.

    \b
    Examples:
      labelmass tune scores.jsonl --targets dev.jsonl -t emotions --goal f1 --out policy.toml
      labelmass tune scores.jsonl --targets dev.jsonl -t llama-guard-3 --goal "precision>=0.9" \\
          --guarantee ltt --review-budget 0.1 --action block --out policy.toml
    """
    from labelmass.decisions import Goal
    from labelmass.workflows.tuning import ThresholdObjective, tune

    goal = options["goal"]
    promise = ThresholdObjective(
        None if goal is None else Goal.parse(goal),
        options["guarantee"],
        options["confidence"],
        options["shared"],
        options["review_budget"],
        options["review_risk"],
        options["unmet"],
    )
    scored, targets, task = read_fitting(scores, options)
    scored, calibrator = read_through(scored, options)
    order = None
    if options["order_data"] is not None:
        order = read_targets(options["order_data"], task, options)
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
    if found.unmet:
        click.echo(_unmet(found, promise), err=True)
        if strict:
            sys.exit(Exit.FELL_SHORT)


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
            _from(rule),
            _share(row.precision, row.given),
            _share(row.recall, row.positives),
            f"{row.review:.1%}",
            _promise(rule),
        )
    Console().print(table)
    click.echo(f"{found.review:.1%} of {found.policy.records} records go to review")


def _share(value: float | None, of: float) -> str:
    return "" if value is None else f"{value:.3f} of {of:g}"


def _from(rule: Any) -> str:
    if rule.everywhere:
        return "review all" if rule.threshold is None else "always"
    return "never" if rule.threshold is None else f"{rule.threshold:.4g}"


def _promise(rule: Any) -> str:
    """The guarantee in a few words; the policy file has it in a sentence."""
    found = rule.guarantee
    if found is None:
        return rule.note if rule.threshold is None or rule.everywhere else ""
    sign = ">=" if found.kind in ("precision", "recall") else "<="
    goal = f"{found.kind} {sign} {found.level:g}"
    if not found.met:
        if found.needed is None:
            return f"not {goal}: no number of records would do at these rates"
        return f"not {goal}: about {found.needed} labelled records would do"
    sure = "in expectation" if found.confidence is None else f"{found.confidence:.0%} sure"
    return f"{goal}, {sure}"


def _unmet(found: Any, promise: Any) -> str:
    """Which labels have no promise, or miss the goal, and what is done with them."""
    rules = found.policy.rules
    labels = ", ".join(f"{label} ({_fallback(rules[label])})" for label in found.unmet)
    what = "goal not reached" if promise.guarantee == "none" else "no promise"
    return f"{what} for {labels}"


def _fallback(rule: Any) -> str:
    if rule.everywhere:
        return rule.when
    return "never given" if rule.threshold is None else f"given from {rule.threshold:.4g}"
