"""Error against cost: the tree alone, drawn answers, and a small tree completed by draws.

    python -m benchmarks.error_cost RECORDS --task T [--demonstrations FILE -k 10] [--no-chat]

The reference is the tree grown far further. Error is the mean over records and labels of
|p - reference|; cost is the rows read after the prompt.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import labelmass
from benchmarks.asked import parser, records_of, task_of
from labelmass.answers.search import Budget
from labelmass.scores import Result
from labelmass.scoring.plan import Plan
from labelmass.scoring.scorer import Scorer
from labelmass.task import Task

TOLERANCES = (0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
DRAWN = (10, 30, 100, 300, 1000)
PATHS = (4, 16, 64, 256)
REFERENCE = Budget(tolerance=0.002, max_nodes=16384)


def plans(task: Task) -> list[tuple[str, float, Plan]]:
    """(method, setting, plan), cheap ones first."""
    found: list[tuple[str, float, Plan]] = []
    for tolerance in TOLERANCES:
        budget = Budget(tolerance=tolerance)
        found.append(("any-place", tolerance, Plan(task, ["any-place"], budget=budget)))
    for method, counts in (
        ("sampling", DRAWN),
        ("hazard", DRAWN),
        ("sampling-combined", DRAWN),
        ("any-place-completed", PATHS),
    ):
        found += [(method, count, Plan(task, [method], samples=count)) for count in counts]
    return found


def read(plan: Plan, items: list[Any], model: Any) -> tuple[np.ndarray, float, float]:
    """(n, k) probabilities, the mean width of their intervals, and rows a record."""
    results = [
        r for r in Scorer.of_plan(plan, model).run_in_order(iter(items)) if isinstance(r, Result)
    ]
    p = np.array([result.labels.p for result in results])
    width = np.mean([result.labels.high - result.labels.low for result in results])
    return p, float(width), float(np.mean([result.cost.tree_tokens for result in results]))


def draw(rows: list[dict[str, Any]], about: str, out: Path) -> None:
    """The figure: error against rows, both on logarithmic axes."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams |= {"svg.hashsalt": "labelmass", "font.size": 9}
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for method, mark in zip(dict.fromkeys(row["method"] for row in rows), "osv^D", strict=False):
        mine = [row for row in rows if row["method"] == method]
        x, y = [row["rows"] for row in mine], [row["error"] for row in mine]
        axes.plot(x, y, marker=mark, markersize=4, label=method)
    axes.set(xscale="log", yscale="log", xlabel="rows read a record", ylabel="mean |p - reference|")
    ticks = [10, 20, 50, 100, 200, 500]
    axes.set_xticks(ticks, labels=map(str, ticks), minor=False)
    axes.set_xticks([], minor=True)
    axes.set_title(about, fontsize=9)
    axes.grid(alpha=0.3, which="both", linewidth=0.5)
    axes.legend(frameon=False)
    figure.savefig(out, metadata={"Date": None})


def main() -> None:
    options = parser(__doc__, most=20, out="error-cost.json")
    options.add_argument("--figure", type=Path)
    args = options.parse_args()
    task = task_of(args)
    model = labelmass.load(device="cpu", dtype="float32")
    items = records_of(args)
    exact, width, cost = read(Plan(task, ["any-place"], budget=REFERENCE), items, model)
    print(f"reference: {cost:.0f} rows a record, mean width {width:.4f}", flush=True)
    rows: list[dict[str, Any]] = []
    for method, setting, plan in plans(task):
        p, spread, count = read(plan, items, model)
        error = float(np.mean(np.abs(p - exact)))
        row = {"method": method, "setting": setting, "rows": count, "error": error, "width": spread}
        rows.append(row)
        print(
            "{method:22}{setting:6g}{rows:9.1f} rows  error {error:.4f}".format(**row), flush=True
        )
    reference = {"rows": cost, "width": width}
    found = {"task": task.name, "records": len(items), "reference": reference, "found": rows}
    args.out.write_text(json.dumps(found, indent=1) + "\n")
    if args.figure is not None:
        draw(rows, f"{task.name}, {len(items)} records", args.figure)


if __name__ == "__main__":
    main()
