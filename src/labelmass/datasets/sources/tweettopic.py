"""TweetTopicXL: one row for each coder of a tweet, and files of the published labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from labelmass.datasets.sources.base import Json, Reading, Source, SourceFile, make_record
from labelmass.datasets.sources.lines import read_objects
from labelmass.datasets.sources.table import read_table
from labelmass.datasets.sources.votes import chosen_by, in_order, shares
from labelmass.errors import LabelMassError

TOPICS = (
    "Arts & Culture",
    "Business & Entrepreneurs",
    "Celebrity & Pop Culture",
    "Diaries & Daily Life",
    "Family",
    "Fashion & Style",
    "Film, TV & Video",
    "Fitness & Health",
    "Food & Dining",
    "Learning & Educational",
    "News & Social Concern",
    "Relationships",
    "Science & Technology",
    "Youth & Student Life",
    "Music",
    "Gaming",
    "Sports",
    "Travel & Adventure",
    "Other Hobbies",
)
UNNAMED = "-99"
"""Coder of a row that does not say who coded it."""


@dataclass(frozen=True, slots=True)
class _Tweet:
    text: str
    votes: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


@dataclass(frozen=True, slots=True)
class _Published:
    labels: list[str]
    split: str | None


def read(files: Sequence[SourceFile]) -> Reading:
    """Tables of coders, joined by tweet, with the published labels where a file has them."""
    lists = [file for file in files if ".jsonl" in file.name]
    tables = [file for file in files if file not in lists]
    if not tables:
        raise LabelMassError(
            "tweettopic needs en_all.csv or that of another language: the .jsonl files hold no "
            "coders"
        )
    reading = Reading()
    published = _read_published(lists)
    tweets = _read_coders(tables, reading)
    reading.left_out["published tweets that no table of coders holds"] += len(
        published.keys() - tweets.keys()
    )
    reading.records.extend(
        _record(name, tweet, published.get(name)) for name, tweet in tweets.items()
    )
    return reading


def _read_coders(tables: Sequence[SourceFile], reading: Reading) -> dict[str, _Tweet]:
    tweets: dict[str, _Tweet] = {}
    numbers: dict[str, str] = {}
    for file in tables:
        for row in read_table(file, ("id", "text", "coder", *TOPICS)):
            name, coder = row["id"], row["coder"]
            if coder == UNNAMED:  # not the same person in every tweet
                coder = f"{UNNAMED} {name}"
            tweet = tweets.setdefault(name, _Tweet(row["text"]))
            number = numbers.setdefault(coder, f"coder{len(numbers) + 1}")
            topics = [topic for topic in TOPICS if row.vote(topic)]
            if number in tweet.votes:
                reading.left_out["second answers of a coder"] += 1
            else:
                tweet.votes[number] = topics
    return tweets


def _read_published(lists: Sequence[SourceFile]) -> dict[str, _Published]:
    published: dict[str, _Published] = {}
    for file in lists:
        for line, row in read_objects(file, {"topics": list}):
            name = str(row.get("id"))
            wrong = [topic for topic in row["topics"] if topic not in TOPICS]
            if wrong:
                raise file.error(line, f"topics holds {wrong[0]!r}, which is none of the 19")
            if name in published:
                raise file.error(
                    line,
                    f"tweet {name} comes twice: give either en_train.jsonl, en_validation.jsonl "
                    "and en_test.jsonl, or the files of one fold, or en_1000.jsonl",
                )
            published[name] = _Published(in_order(row["topics"], TOPICS), file.part)
    return published


def _record(name: str, tweet: _Tweet, published: _Published | None) -> Json:
    votes = list(tweet.votes.values())
    return make_record(
        name,
        chosen_by(2)(votes, TOPICS) if published is None else published.labels,
        text=tweet.text,
        annotators=votes,
        annotator_ids=list(tweet.votes),
        distribution=shares(votes, TOPICS),
        split=None if published is None else published.split,
    )


TWEETTOPIC = Source(
    "tweettopic",
    "19 topics of tweets in English, Spanish, Greek and Japanese, with every coder",
    "TweetTopicXL, after TweetTopic (Antypas et al., COLING 2022), anon7331/tweet_topicXL",
    "MIT",
    "en_all.csv (es_, gr_, ja_), and en_train.jsonl, en_validation.jsonl and en_test.jsonl for the "
    "published labels and split",
    (
        "labels are the published ones; without them, those at least 2 coders chose",
        "published labels of a tweet with more than 5 coders may rest on some of them only",
        "coders are numbered in the order they appear; a row of coder -99 is a person of its own",
        "of two answers of a coder to a tweet the first counts",
    ),
    read,
)
