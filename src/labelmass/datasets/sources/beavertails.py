"""BeaverTails: prompts and responses, 14 harm categories of true and false."""

from __future__ import annotations

from collections.abc import Sequence

from labelmass.datasets.sources.base import Reading, Source, SourceFile, make_record
from labelmass.datasets.sources.lines import read_objects


def read(files: Sequence[SourceFile]) -> Reading:
    """One object a line: prompt, response and category."""
    reading = Reading()
    seen: dict[tuple[str, str], list[str]] = {}
    prompts: dict[str, str] = {}
    for file in files:
        for line, row in read_objects(file, {"prompt": str, "response": str, "category": dict}):
            if not all(isinstance(value, bool) for value in row["category"].values()):
                raise file.error(line, "category: expected true or false for each harm")
            labels = [name for name, harmful in row["category"].items() if harmful]
            pair = (row["prompt"], row["response"])
            if pair in seen:
                same = "the same" if seen[pair] == labels else "other"
                reading.left_out[f"repeats of a prompt and response, with {same} labels"] += 1
                continue
            seen[pair] = labels
            name = f"{file.part or 'beavertails'}-{line}"
            reading.records.append(
                make_record(
                    name,
                    labels,
                    prompt=row["prompt"],
                    response=row["response"],
                    split=file.part,
                    group=prompts.setdefault(row["prompt"], name),
                )
            )
    return reading


BEAVERTAILS = Source(
    "beavertails",
    "14 harm categories of a response to a prompt",
    "BeaverTails (Ji et al., NeurIPS 2023), PKU-Alignment/BeaverTails on Hugging Face",
    "CC BY-NC 4.0",
    "round0/30k/test.jsonl.gz and train.jsonl.gz (packed as .gz or .xz, or unpacked)",
    (
        "labels are the categories that are true; none is the empty set (is_safe)",
        "of a prompt and response that come again, the first labels count",
        "group is the first record with that prompt; split is read off the file name",
    ),
    read,
)
