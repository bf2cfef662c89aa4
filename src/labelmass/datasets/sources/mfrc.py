"""The Moral Foundations Reddit Corpus: one row for each annotator of a comment."""

from __future__ import annotations

from collections.abc import Sequence

from labelmass.datasets.sources.base import Reading, Source, SourceFile, make_record
from labelmass.datasets.sources.table import Row, read_table
from labelmass.datasets.sources.votes import in_order, majority, shares

FOUNDATIONS = ("authority", "care", "equality", "loyalty", "proportionality", "purity")
EMPTY = ("thin morality", "non-moral")


def read(files: Sequence[SourceFile]) -> Reading:
    """Rows are joined by their text; the corpus has no ids."""
    reading = Reading()
    first: dict[str, Row] = {}
    given: dict[str, dict[str, tuple[list[str], str]]] = {}
    for file in files:
        needs = ("text", "subreddit", "annotator", "annotation", "confidence")
        for row in read_table(file, needs):
            text = row["text"]
            first.setdefault(text, row)
            answers = given.setdefault(text, {})
            if row["annotator"] in answers:
                reading.left_out["second answers of an annotator"] += 1
            else:
                answers[row["annotator"]] = (_labels(row), row["confidence"])
    for text, answers in given.items():
        votes = [labels for labels, _ in answers.values()]
        reading.records.append(
            make_record(
                f"mfrc-{first[text].line}",
                majority(votes, FOUNDATIONS),
                text=text,
                annotators=votes,
                annotator_ids=list(answers),
                distribution=shares(votes, FOUNDATIONS),
                confidence=[confidence for _, confidence in answers.values()],
                subreddit=first[text]["subreddit"],
            )
        )
    return reading


def _labels(row: Row) -> list[str]:
    words = [word.strip().lower() for word in row["annotation"].split(",")]
    for word in words:
        if word not in FOUNDATIONS + EMPTY:
            expected = ", ".join(FOUNDATIONS + EMPTY)
            raise row.error(f"annotation holds {word!r}: expected some of {expected}")
    return in_order(words, FOUNDATIONS)


MFRC = Source(
    "mfrc",
    "6 moral foundations of Reddit comments, with every annotator",
    "The Moral Foundations Reddit Corpus (Trager et al., arXiv 2208.05545), USC-MOLA-Lab/MFRC on "
    "Hugging Face",
    "CC BY 4.0",
    "final_mfrc_data.csv",
    (
        "labels are those more than half of the comment's annotators chose",
        "Thin Morality and Non-Moral are the empty set",
        "rows of the same text are one comment; its id is the line of the first",
    ),
    read,
)
