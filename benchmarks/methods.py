"""What every method costs on the same records: counts, and seconds as ratios to `hard`.

    python -m benchmarks.methods RECORDS --task T [--demonstrations FILE -k 10] [--no-chat] \
        [--methods NAME,...]

Methods that read the same trees are run once. The others take turns, some records each, so that a
noisy machine is as noisy for all of them; the file is written after every turn.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections import defaultdict
from collections.abc import Collection
from typing import Any

import numpy as np

import labelmass
from benchmarks.asked import parser, records_of, task_of
from labelmass.errors import MethodError
from labelmass.estimators import ESTIMATORS
from labelmass.scores import Result
from labelmass.scoring.plan import Plan
from labelmass.scoring.scorer import Scorer
from labelmass.task import Task

TURN = 20
"""Records a method is given at a time."""


def plans(task: Task, methods: Collection[str] = ESTIMATORS) -> dict[str, Plan]:
    """By the names of the methods that read the same trees, `hard` first, a plan for them."""
    alike: dict[tuple[Any, ...], list[str]] = {}
    for name in sorted({"hard", *methods}, key=lambda name: (name != "hard", name)):
        try:
            plan = Plan(task, [name])
        except MethodError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        alike.setdefault((plan.requirements, *plan.also), []).append(name)
    return {", ".join(names): Plan(task, names) for names in alike.values()}


def summary(
    task: Task, plans: dict[str, Plan], costs: dict[str, list[dict[str, float]]], off: list[float]
) -> dict[str, Any]:
    """Means a record of each group of methods, and seconds relative to the first."""
    rows = {
        names: {key: float(np.mean([cost[key] for cost in spent])) for key in spent[0]}
        | {"prompts": plan.forecast.prompts}
        for (names, spent), plan in zip(costs.items(), plans.values(), strict=True)
    }
    base = next(iter(rows.values()))["seconds"]
    return {
        "task": task.name,
        "labels": len(task.labels),
        "records": len(next(iter(costs.values()))),
        "off_format": float(np.mean(off)) if off else None,
        "methods": {n: row | {"relative": row["seconds"] / base} for n, row in rows.items()},
    }


def main() -> None:
    options = parser(__doc__, most=200, out="methods.json")
    options.add_argument("--methods", help="Only these, and hard; default: all that the task has.")
    args = options.parse_args()
    task = task_of(args)
    asked = plans(task, args.methods.split(",") if args.methods else ESTIMATORS)
    model = labelmass.load(device="cpu", dtype="float32")
    costs: dict[str, list[dict[str, float]]] = defaultdict(list)
    off: list[float] = []
    items = iter(records_of(args))
    while turn := list(itertools.islice(items, TURN)):
        for names, plan in asked.items():
            for result in Scorer.of_plan(plan, model).run_in_order(iter(turn)):
                if not isinstance(result, Result):
                    raise SystemExit(f"{result.id}: {result.error}")
                costs[names].append(result.cost.to_dict())
                if plan.estimators[0].name == "any-place":
                    off.append(result.off_format)
        found = summary(task, asked, costs, off)
        args.out.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{found['records']} records, {found['labels']} labels, off-format {found['off_format']}")
    for names, row in found["methods"].items():
        print(
            f"{names:40}{row['prompts']:4.0f} prompts {row['prompt_tokens']:8.1f} prompt tokens "
            f"{row['tree_tokens']:8.1f} tree tokens {row['forward_passes']:7.2f} passes "
            f"{row['seconds']:7.3f} s {row['relative']:6.1f} x"
        )


if __name__ == "__main__":
    main()
