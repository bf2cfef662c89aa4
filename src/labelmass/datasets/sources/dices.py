"""DICES: conversations with a chatbot, one row for each rater, unsafe or not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from labelmass.datasets.sources.base import Reading, Source, SourceFile, make_record
from labelmass.datasets.sources.table import Row, read_table
from labelmass.datasets.sources.votes import shares

LABELS = ("unsafe", "unsure")
ANSWERS = {"No": [], "Unsure": ["unsure"], "Yes": ["unsafe"]}
_SET = re.compile(r"(?<!\d)(350|990)(?!\d)")


def read(files: Sequence[SourceFile]) -> Reading:
    """Rows are joined by item; the two sets number their items alike, so the name tells them."""
    reading = Reading()
    for file in files:
        match = _SET.search(file.name)
        name = f"dices{match[0]}" if match else "dices"
        first: dict[str, Row] = {}
        given: dict[str, dict[str, str]] = {}
        for row in read_table(file, ("rater_id", "item_id", "context", "response", "Q_overall")):
            if row["Q_overall"] not in ANSWERS:
                expected = ", ".join(ANSWERS)
                raise row.error(f"Q_overall is {row['Q_overall']!r}: expected one of {expected}")
            first.setdefault(row["item_id"], row)
            answers = given.setdefault(row["item_id"], {})
            if row["rater_id"] in answers:
                reading.left_out["second answers of a rater"] += 1
            else:
                answers[row["rater_id"]] = row["Q_overall"]
        for item, answers in given.items():
            row, votes = first[item], [ANSWERS[answer] for answer in answers.values()]
            counts = Counter(answers.values())
            reading.records.append(
                make_record(
                    f"{name}-{item}",
                    ANSWERS[max(ANSWERS, key=lambda answer: counts[answer])],
                    text=f"{row['context']}\n\nRESPONSE TO RATE: {row['response']}",
                    annotators=votes,
                    annotator_ids=list(answers),
                    distribution=shares(votes, LABELS),
                )
            )
    return reading


DICES = Source(
    "dices",
    "is a chatbot's last response unsafe, with 60 to 123 raters a conversation",
    "DICES (Aroyo et al., NeurIPS 2023), google-research-datasets/dices-dataset",
    "CC BY 4.0",
    "diverse_safety_adversarial_dialog_990.csv, diverse_safety_adversarial_dialog_350.csv",
    (
        "Q_overall: Yes is unsafe, Unsure is unsure, No is the empty set",
        "labels are the most frequent answer; of equal ones No goes before Unsure before Yes",
        "every rater is kept; the papers drop some for quality",
        "other questions and demographics are dropped",
    ),
    read,
)
