"""SemEval-2018 task 1 E-c: a tweet a row, a column of 0 and 1 for each of 11 emotions."""

from __future__ import annotations

from collections.abc import Sequence

from labelmass.datasets.sources.base import Reading, Source, SourceFile, make_record
from labelmass.datasets.sources.table import read_table

EMOTIONS = (
    "anger",
    "anticipation",
    "disgust",
    "fear",
    "joy",
    "love",
    "optimism",
    "pessimism",
    "sadness",
    "surprise",
    "trust",
)


def read(files: Sequence[SourceFile]) -> Reading:
    """Tab-separated, with a header; quotation marks are text."""
    reading = Reading()
    for file in files:
        for row in read_table(file, ("ID", "Tweet", *EMOTIONS), "\t", quoted=False):
            votes = {label: row.vote(label, none=("NONE",)) for label in EMOTIONS}
            reading.records.append(
                make_record(
                    row["ID"],
                    [label for label, vote in votes.items() if vote],
                    text=row["Tweet"],
                    unknown=[label for label, vote in votes.items() if vote is None],
                    split=file.part,
                )
            )
    return reading


SEMEVAL = Source(
    "semeval-2018",
    "11 emotions of tweets (task 1 E-c), aggregated labels",
    "SemEval-2018 Task 1: Affect in Tweets (Mohammad et al., SemEval 2018)",
    "own terms: cite the paper, do not redistribute the data",
    "2018-E-c-En-train.txt, 2018-E-c-En-dev.txt, 2018-E-c-En-test-gold.txt (or Ar, Es)",
    (
        "all eleven 0 is the empty set",
        "NONE, as in a test file without answers, is an unknown label",
        "split is read off the file name",
    ),
    read,
)
