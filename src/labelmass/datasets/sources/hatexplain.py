"""HateXplain: posts as tokens, three annotators each, with a class and the communities targeted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from labelmass.datasets.sources.base import Json, Reading, Source, SourceFile, make_record
from labelmass.datasets.sources.votes import in_order, majority, shares
from labelmass.errors import LabelMassError, RecordError
from labelmass.files import parse_json, shaped

CLASSES = ("hatespeech", "offensive")
_PARTS = {"train": "train", "val": "dev", "test": "test"}


def read(files: Sequence[SourceFile]) -> Reading:
    """One JSON object of posts by id, and, if given, the ids of each part."""
    posts: dict[str, tuple[SourceFile, Json]] = {}
    parts: dict[str, str] = {}
    for file in files:
        content = _load(file)
        if set(content) == set(_PARTS):
            for part, ids in content.items():
                parts |= dict.fromkeys(_ids(file, part, ids), _PARTS[part])
        else:
            posts |= {name: (file, post) for name, post in content.items()}
    if not posts:
        raise LabelMassError(
            "hatexplain needs dataset.json (post_id_divisions.json holds ids only)"
        )
    reading = Reading()
    for name, (file, post) in posts.items():
        try:
            reading.records.append(_record(name, post, parts.get(name)))
        except LabelMassError as error:
            raise file.error(
                f"post {name!r}",
                "expected post_tokens, and annotators with label (hatespeech, offensive or "
                f"normal), annotator_id and target ({error})",
            ) from None
    return reading


@dataclass(frozen=True, slots=True)
class _Answer:
    label: str
    annotator_id: Any
    target: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Post:
    post_tokens: Sequence[str]
    annotators: Sequence[_Answer]


def _record(name: str, data: Any, part: str | None) -> Json:
    post = shaped(_Post, data)
    votes = [[*_class(each.label), *_targets(each.target)] for each in post.annotators]
    order = [*CLASSES, *sorted({label for vote in votes for label in vote} - set(CLASSES))]
    votes = [in_order(vote, order) for vote in votes]
    return make_record(
        name,
        majority(votes, order),
        text=" ".join(post.post_tokens),
        annotators=votes,
        annotator_ids=[str(each.annotator_id) for each in post.annotators],
        distribution=shares(votes, order),
        split=part,
    )


def _ids(file: SourceFile, part: str, ids: Any) -> list[str]:
    try:
        return shaped(list[str], ids)
    except LabelMassError as error:
        raise file.error(f"part {part!r}", f"expected a list of ids ({error})") from None


def _class(label: str) -> list[str]:
    label = label.lower()
    if label not in (*CLASSES, "normal"):
        raise LabelMassError(f"label is {label!r}")
    return [] if label == "normal" else [label]


def _targets(targets: Sequence[str]) -> list[str]:
    return [f"target:{target}" for target in targets if target != "None"]


def _load(file: SourceFile) -> Mapping[str, Any]:
    try:
        content = parse_json(file.text)
    except RecordError as error:
        raise LabelMassError(f"{file.name}: {error}") from None
    if not isinstance(content, Mapping):
        raise file.error(1, "expected an object of posts by id")
    return cast("Mapping[str, Any]", content)


HATEXPLAIN = Source(
    "hatexplain",
    "hate speech, offensive language and 25 target communities, with every annotator",
    "HateXplain (Mathew et al., AAAI 2021), hate-alert/HateXplain, folder Data",
    "MIT",
    "dataset.json, and post_id_divisions.json for the split",
    (
        "labels are those more than half of the post's annotators chose",
        "normal and the target None are the empty set",
        "text is the post's tokens joined by blanks; rationales are dropped",
        "a post in no part of post_id_divisions.json has no split",
    ),
    read,
)
