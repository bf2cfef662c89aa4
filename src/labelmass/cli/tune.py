"""`labelmass tune`: thresholds for a goal, with a guarantee where one is asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click

from labelmass._settings import REQUIRED, setting
from labelmass.cli import completions
from labelmass.cli.declare import as_command
from labelmass.cli.exits import Exit
from labelmass.cli.fitting import read_through, read_training_input
from labelmass.cli.options import CalibratorOptions, GoldTargetsOptions, TaskOptions
from labelmass.cli.progress import say
from labelmass.cli.records import read_targets
from labelmass.decisions.rule import ACTIONS, Rule
from labelmass.errors import LabelMassError, MethodError
from labelmass.scores import Scores
from labelmass.scoring.score import load_scores
from labelmass.task import Task
from labelmass.task.record import Fields
from labelmass.workflows.tuning import ThresholdObjective, Tuning, tune


def _policy_file(name: str) -> str:
    if not name.lower().endswith((".toml", ".json")):
        raise LabelMassError("its name must end in .toml or .json")
    return name


@dataclass(frozen=True, kw_only=True)
class Policing:
    section: ClassVar[str] = "Policy"

    action: str = setting("flag", "Action for a label at or above its threshold.", choices=ACTIONS)
    order_data: str | None = setting(
        None,
        "Further records in SCORES with human labels; ltt tests thresholds in the order they "
        "suggest.",
        metavar="DATA",
        complete=completions.files,
    )
    strict: bool = setting(False, "Exit with 2 if the goal or guarantee of a label is not met.")
    out: str = setting(
        REQUIRED,
        "File of the policy, .toml or .json.",
        path="new file",
        metavar="POLICY",
        parse=_policy_file,
    )


@as_command("tune")
@click.argument("scores", type=click.Path(exists=True))
def command(
    scores: str,
    task: TaskOptions,
    by: CalibratorOptions,
    annotations: GoldTargetsOptions,
    records: Fields,
    objective: ThresholdObjective,
    policy: Policing,
) -> None:
    """Thresholds for the scores in SCORES from the human labels in DATA, as a policy file.

    The policy is made to be read and edited; a threshold moved by hand loses its guarantee. Targets
    are gold sets unless --soft. The table says what each threshold gives on DATA, the last line
    which labels have no guarantee. Where SCORES has the method hard, a second table says what the
    model's own answers give: of a guard with levels, by each of its published modes.

    \b
    Examples:
      labelmass tune scores.jsonl --targets dev.jsonl -t emotions --goal f1 --out policy.toml
      labelmass tune scores.jsonl --targets dev.jsonl -t llama-guard-3 --goal "precision>=0.9" \\
          --guarantee ltt --review-budget 0.1 --action block --out policy.toml
    """
    scored, targets, asked = read_training_input(scores, task, by, annotations, records)
    scored, calibrator = read_through(scored, by)
    order = None
    if policy.order_data is not None:
        order = read_targets(policy.order_data, asked, records, annotations.gold, annotations.group)
    result = tune(
        scored,
        targets,
        objective,
        soft=annotations.soft,
        action=policy.action,
        order=order,
        calibrator=calibrator,
        own_answers=_own_answers(scores, asked, targets.ids),
        levels=asked.levels,
    )
    result.policy.save(policy.out)
    _show(result)
    for note in result.notes:
        say(f"note: {note}")
    say(f"{scored.method}, {result.policy.records} records -> {policy.out}")
    if result.unmet:
        say(_unmet(result, objective))
        if policy.strict:
            sys.exit(Exit.FELL_SHORT)


def _own_answers(source: str, task: Task, ids: Iterable[str | int]) -> Scores | None:
    """The scores by `hard` in a file of scores; None if there are none."""
    if Path(source).is_dir():
        return None
    try:
        return load_scores(source, task.label_names, "hard", ids=ids)
    except MethodError:
        return None


def _show(found: Tuning) -> None:
    from rich.console import Console

    from labelmass.present.tables import Head, Table

    head = ["label", "from", "precision", "recall", "review", Head("guarantee", prose=True)]
    rows = [
        [
            row.label,
            _from(rule),
            _share(row.precision, row.given),
            _share(row.recall, row.positives),
            f"{row.review:.1%}",
            _guarantee(rule),
        ]
        for row, rule in zip(found.achieved, found.policy.rules.values(), strict=True)
    ]
    Console().print(Table("", head, rows))
    if found.own_answers:
        modes = any(row.mode for row in found.own_answers)
        own = [
            [
                row.label,
                *([row.mode] if modes else []),
                _share(row.precision, row.given),
                _share(row.recall, row.positives),
            ]
            for row in found.own_answers
        ]
        mode = [Head("mode", prose=True)] if modes else []
        names = [Head("the model's own answers", prose=True), *mode, "precision", "recall"]
        Console().print(Table("", names, own))
    click.echo(f"{found.review:.1%} of {found.policy.records} records go to review")


def _share(value: float | None, of: float) -> str:
    return "" if value is None else f"{value:.3f} of {of:g}"


def _from(rule: Rule) -> str:
    if rule.everywhere:
        return "review all" if rule.threshold is None else "always"
    return "never" if rule.threshold is None else f"{rule.threshold:.4g}"


def _guarantee(rule: Rule) -> str:
    """The guarantee in a few words; the policy file has it in a sentence."""
    result = rule.guarantee
    if result is None:
        return rule.note if rule.threshold is None or rule.everywhere else ""
    sign = ">=" if result.kind in ("precision", "recall") else "<="
    goal = f"{result.kind} {sign} {result.level:g}"
    if not result.met:
        if result.needed is None:
            return f"not {goal}: no number of records would do at these rates"
        return f"not {goal}: about {result.needed} labelled records would do"
    sure = "in expectation" if result.confidence is None else f"{result.confidence:.0%} sure"
    return f"{goal}, {sure}"


def _unmet(found: Tuning, objective: ThresholdObjective) -> str:
    """Sentence that names labels without a guarantee, or short of the goal, and their fallback."""
    rules = found.policy.rules
    labels = ", ".join(f"{label} ({_fallback(rules[label])})" for label in found.unmet)
    what = "goal not reached" if objective.guarantee == "none" else "no guarantee"
    return f"{what} for {labels}"


def _fallback(rule: Rule) -> str:
    if rule.everywhere:
        return rule.when
    return "never given" if rule.threshold is None else f"given from {rule.threshold:.4g}"
