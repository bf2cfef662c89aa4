"""BRIGHTER (SemEval-2025 task 11): the official files, and those with every annotator."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from labelmass.datasets.sources.base import Reading, Source, SourceFile, make_record
from labelmass.datasets.sources.table import Row, Table, read_table
from labelmass.datasets.sources.votes import shares

_HOME = "BRIGHTER (Muhammad et al., ACL 2025), emotion-analysis-project/SemEval2025-Task11, "
_PART = re.compile(r"_(train|dev|test)_")
_RATER = re.compile(r"annotator[-_]?\d+$", re.IGNORECASE)
GOLD = 0.5
"""A label is gold where its mean intensity is above this."""


def read_official(files: Sequence[SourceFile]) -> Reading:
    """A text a row, a column an emotion; languages differ in their emotions."""
    reading = Reading()
    for file in files:
        table = read_table(file, ("id", "text"))
        emotions = table.others("id", "text")
        for row in table:
            values = {emotion.lower(): row.number(emotion) for emotion in emotions}
            part = _PART.search(row["id"])
            reading.records.append(
                make_record(
                    row["id"],
                    [label for label, value in values.items() if value],
                    text=row["text"],
                    unknown=[label for label, value in values.items() if value is None],
                    split=part[1] if part else file.part,
                )
            )
    return reading


@dataclass(slots=True)
class _Item:
    text: str
    ratings: dict[str, dict[str, float | None]] = field(
        default_factory=dict[str, dict[str, float | None]]
    )


def read_annotators(files: Sequence[SourceFile]) -> Reading:
    """One row for each text, emotion and rater; or for each text and emotion, a column a rater."""
    reading = Reading()
    items: dict[str, _Item] = {}
    emotions: dict[str, None] = {}
    raters: dict[str, str] = {}
    for file in files:
        for row, name, text, rater, value in _ratings(read_table(file, ("text", "emotion"))):
            item = items.setdefault(name, _Item(text))
            if item.text != text:
                raise row.error(f"text {name!r} is another text in an earlier row")
            emotion = row["emotion"].strip().lower()
            emotions.setdefault(emotion)
            rater = raters.setdefault(rater, f"rater{len(raters) + 1}")
            given = item.ratings.setdefault(rater, {})
            if emotion in given:
                reading.left_out["second answers of a rater"] += 1
            else:
                given[emotion] = value
    order = sorted(emotions)
    for name, item in items.items():
        asked = {emotion for given in item.ratings.values() for emotion in given}
        whole: dict[str, dict[str, float]] = {}
        for rater, given in item.ratings.items():
            judged = {emotion: value for emotion, value in given.items() if value is not None}
            if judged.keys() == asked:
                whole[rater] = judged
        reading.left_out["raters who left an emotion of a text empty"] += len(item.ratings) - len(
            whole
        )
        if not whole:
            reading.left_out["texts that no rater judged on every emotion"] += 1
            continue
        scale = [emotion for emotion in order if emotion in asked]
        votes = [[e for e in scale if judged[e] > 0] for judged in whole.values()]
        mean = {e: sum(judged[e] for judged in whole.values()) / len(whole) for e in scale}
        reading.records.append(
            make_record(
                name,
                [emotion for emotion in scale if mean[emotion] > GOLD],
                text=item.text,
                annotators=votes,
                annotator_ids=list(whole),
                distribution=shares(votes, scale),
                unknown=[emotion for emotion in order if emotion not in asked],
                mean_intensity={emotion: round(value, 4) for emotion, value in mean.items()},
            )
        )
    return reading


def _ratings(table: Table) -> Iterator[tuple[Row, str, str, str, float | None]]:
    """Row, name of the text, text, rater and intensity."""
    key = next((column for column in ("id", "text_id") if column in table.columns), "text")
    columns = [column for column in table.columns if _RATER.match(column)]
    long = {"annotator", "intensity"} <= set(table.columns)
    if not long and not columns:
        raise table.file.error(
            1,
            "expected the columns annotator and intensity, or one for each rater (Annotator-1, "
            f"annotator_2 ...), but found {', '.join(table.columns)}",
        )
    for row in table:
        if long:
            yield row, row[key], row["text"], row["annotator"], row.number("intensity")
            continue
        for column in columns:
            yield row, row[key], row["text"], column, row.number(column)


OFFICIAL = Source(
    "brighter",
    "up to 6 perceived emotions in many languages, official labels",
    _HOME + "task-dataset",
    "CC BY 4.0",
    "eng.csv, deu.csv ... of track_a/train, track_a/dev and track_a/test (or track_b, track_c)",
    (
        "a value above 0 is a label (track_b has intensities 0 to 3), all 0 is the empty set",
        "an empty cell, as in a test file without answers, is an unknown label",
        "split is read off the id (eng_train_track_a_00001)",
    ),
    read_official,
)

ANNOTATORS = Source(
    "brighter-annotators",
    "perceived emotions with every annotator's intensity",
    _HOME + "individual_labels",
    "CC BY 4.0",
    "deu_individual_intensities.csv (unzipped); or swe_individuals.csv ... with a column a rater",
    (
        "an intensity of 1 or more is a label of that rater; mean_intensity is kept",
        "labels are those with a mean intensity above 0.5 (in German, the rule that comes closest "
        "to the official labels)",
        "a rater who left an emotion of a text empty is left out for that text",
        "raters are numbered in the order they appear: upstream some are named by mail address",
    ),
    read_annotators,
)
