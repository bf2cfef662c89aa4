"""What `binary` loses when each label meets fewer others, against all pairs of the same records.

    python -m benchmarks.fewer_pairs RECORDS --task T [--demonstrations FILE -k 10] [--no-chat]

All pairs are asked once; each sparser design reads those of them that it would ask.
"""

from __future__ import annotations

import json

import numpy as np

import labelmass
from benchmarks.asked import parser, records_of, task_of
from labelmass._types import Normalisation
from labelmass.estimators.breakdown import binary_scores, pairs
from labelmass.scores import Result
from labelmass.task import Task


def main() -> None:
    args = parser(__doc__, most=20, out="fewer-pairs.json").parse_args()
    task = task_of(args)
    items = iter(records_of(args))
    model = labelmass.load(device="cpu", dtype="float32")
    scorer = labelmass.Scorer(task, model, methods=["binary"], keep_trees=True)
    results = [r for r in scorer.run_in_order(items) if isinstance(r, Result)]
    full = np.array([result.labels.p for result in results])
    rows: list[dict[str, float]] = []
    for opponents in range(1, len(task.labels)):
        wording = task.binary.model_copy(update={"opponents": opponents})
        fewer = Task(**task.to_dict() | {"binary": wording.model_dump()})
        asked = {("binary", *pair) for pair in pairs(fewer)}
        p = np.array(
            [
                binary_scores(
                    {name: tree for name, tree in result.trees.items() if name in asked},
                    Normalisation.RAW,
                    fewer,
                ).p
                for result in results
            ]
        )
        off = np.abs(p - full)
        row = {"opponents": opponents, "prompts": len(asked), "mean": off.mean(), "max": off.max()}
        rows.append({key: float(value) for key, value in row.items()})
        print(f"{opponents} opponents, {len(asked)} prompts: {off.mean():.4f}, {off.max():.4f}")
    found = {"task": task.name, "records": len(results), "found": rows}
    args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
