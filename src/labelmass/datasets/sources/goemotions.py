"""GoEmotions: the aggregated TSV files, and the raw CSV files with one row a rater."""

from __future__ import annotations

from collections.abc import Sequence

from labelmass.datasets.sources.base import Reading, Source, SourceFile, make_record
from labelmass.datasets.sources.table import read_rows, read_table
from labelmass.datasets.sources.votes import chosen_by, shares
from labelmass.errors import LabelMassError

_HOME = "GoEmotions (Demszky et al., ACL 2020), google-research/google-research, goemotions/data"
_ABOUT = (
    "text",
    "id",
    "author",
    "subreddit",
    "link_id",
    "parent_id",
    "created_utc",
    "rater_id",
    "example_very_unclear",
)
_YES = ("true", "1")
_NO = ("false", "0")


def read_aggregated(files: Sequence[SourceFile]) -> Reading:
    """Rows of text, label numbers and id, and the file of label names."""
    lists = [file for file in files if file.name.endswith(".txt")]
    tables = [file for file in files if file not in lists]
    if len(lists) != 1 or not tables:
        raise LabelMassError(
            "goemotions needs one .txt file of label names, a name a line, and .tsv files"
        )
    names = lists[0].text.split()
    reading = Reading()
    for file in tables:
        for row in read_rows(file, 3, "\t"):
            text, numbers, name = row.cells
            chosen: list[str] = []
            for number in numbers.split(","):
                if not number.isdecimal() or len(number) > 9 or int(number) >= len(names):
                    raise row.error(
                        f"label numbers are {numbers!r}: expected 0 to {len(names) - 1}, "
                        f"separated by commas ({lists[0].name} names {len(names)})"
                    )
                chosen.append(names[int(number)])
            reading.records.append(make_record(name, chosen, text=text, split=file.part))
    return reading


def read_raw(files: Sequence[SourceFile]) -> Reading:
    """Rows of one rater each, joined by comment."""
    reading = Reading()
    names: list[str] = []
    texts: dict[str, tuple[str, str]] = {}
    votes: dict[str, dict[str, list[str]]] = {}
    for file in files:
        table = read_table(file, _ABOUT)
        names = names or table.others(*_ABOUT)
        for row in table:
            unclear = row["example_very_unclear"].strip().lower()
            if unclear not in _YES + _NO:
                raise row.error(f"example_very_unclear is {unclear!r}: expected True or False")
            texts.setdefault(row["id"], (row["text"], row["link_id"]))
            given = votes.setdefault(row["id"], {})
            if unclear in _YES:
                reading.left_out["answers of raters who found the comment very unclear"] += 1
            elif row["rater_id"] in given:
                reading.left_out["second answers of a rater"] += 1
            else:
                given[row["rater_id"]] = [name for name in names if row.vote(name)]
    for name, given in votes.items():
        if not given:
            reading.left_out["comments that every rater found very unclear"] += 1
            continue
        annotators = list(given.values())
        text, thread = texts[name]
        reading.records.append(
            make_record(
                name,
                chosen_by(2)(annotators, names),
                text=text,
                annotators=annotators,
                annotator_ids=list(given),
                distribution=shares(annotators, names),
                group=thread,
            )
        )
    return reading


AGGREGATED = Source(
    "goemotions",
    "27 emotions and neutral of Reddit comments, aggregated labels",
    _HOME,
    "Apache-2.0",
    "train.tsv, dev.tsv, test.tsv, and emotions.txt (or labels.txt)",
    (
        "labels are the published ones, each chosen by at least 2 raters",
        "neutral stays a label; a task may ignore it or take it for the empty set",
        "split is read off the file name",
    ),
    read_aggregated,
)

RAW = Source(
    "goemotions-raw",
    "27 emotions and neutral of Reddit comments, with every rater",
    _HOME,
    "Apache-2.0",
    "goemotions_1.csv, goemotions_2.csv and goemotions_3.csv, all together",
    (
        "labels are those at least 2 raters chose",
        "a rater who found the comment very unclear gave no answer; without any answer the "
        "comment is left out",
        "neutral stays a label; a rater who chose nothing has the empty list",
        "group is the thread (link_id); author names are dropped",
    ),
    read_raw,
)
