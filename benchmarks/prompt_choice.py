"""Prompts for labels alone: what each candidate does on labelled texts that it was not chosen by.

    python -m benchmarks.prompt_choice

Prints, for every candidate, the score that the choice is made by, and on the first records of two
files the off-format mass and the AUC of `any-place`.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from sklearn.metrics import roc_auc_score
from tabulate import tabulate

import labelmass
from labelmass import Budget, Record, Result, Task
from labelmass.records import read_records
from labelmass.scoring.prompt_choice import prompt_candidates, try_prompt
from labelmass.targets import targets_of
from labelmass.task.record import Fields

ROOT = Path(__file__).parents[1]
SETS = {
    "topics": (
        ROOT / "benchmarks" / "topics.jsonl",
        Fields(),
        ["sport", "food", "weather", "money"],
    ),
    "tickets": (
        ROOT / "examples" / "tickets.csv",
        Fields(text="body", id="ticket"),
        ["billing", "bug report", "how-to", "account"],
    ),
}
RECORDS = 60


def main() -> None:
    model = labelmass.load()
    for name, (path, fields, labels) in SETS.items():
        items = [item for _, item in read_records(path, fields=fields)][:RECORDS]
        records = [item for item in items if isinstance(item, Record)]
        task = Task.from_labels(labels)
        targets = targets_of(task, records)
        rows: list[list[object]] = []
        for candidate in prompt_candidates(task, chat=model.tokenizer.has_chat_template):
            trial = try_prompt(candidate, model)
            scores = labelmass.score(
                records, candidate, model, budget=Budget(tolerance=0.03, max_nodes=200)
            )
            results = [result for result in scores if isinstance(result, Result)]
            off_format = fmean(result.off_format for result in results)
            auc = float(roc_auc_score(targets.gold, scores.p))
            rows.append(
                [trial.prompt, trial.score, trial.on_format, trial.own_label, off_format, auc]
            )
        rows.sort(key=lambda row: -float(str(row[1])))
        heads = ["prompt", "score", "on format", "own label", f"{name}: off-format", "AUC"]
        print(tabulate(rows, heads, floatfmt=".2f", tablefmt="pipe"), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
