"""Demonstrations: worked examples in the prompt, and which of them a record is shown."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field, model_validator

from labelmass.errors import LabelMassError, RecordError, TaskError
from labelmass.files import open_file, read_json_lines
from labelmass.task.keys import TaskPart
from labelmass.task.record import Message, Record


class Demonstration(TaskPart):
    """A record and the labels it should get; its form is that of a `Record`."""

    text: str | None = None
    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    response: str | None = None
    labels: tuple[str, ...]

    @property
    def record(self) -> Record:
        """The record that is shown."""
        return Record(
            id="demonstration",
            text=self.text,
            messages=self.messages,
            prompt=self.prompt,
            response=self.response,
        )

    def shows(self, record: Record) -> bool:
        """True if this is that very record, whose labels it would give away."""
        return (self.text, self.messages, self.prompt, self.response) == (
            record.text,
            record.messages,
            record.prompt,
            record.response,
        )


class Demonstrations(TaskPart):
    """The examples to show or to choose from, and how to choose.

    examples: the pool, in its order.
    k: how many are shown; None for all of them, in their order.
    multi_share: share of those k that have two or more labels, the others having exactly one;
        0..1, the count rounded to the nearest. None draws from the whole pool.
    per_record: draw anew for every record, by its content digest, rather than once for all. The
        records then share a shorter beginning of their prompts.
    choice: "random", or "similar" for those whose text is most like the record's (cosine of TF-IDF
        weights over the pool), the most alike last; that is per record too.
    seed: of the draw; None for the task's seed.
    """

    examples: tuple[Demonstration, ...] = ()
    k: int | None = Field(default=None, ge=0)
    multi_share: float | None = Field(default=None, ge=0, le=1)
    per_record: bool = False
    choice: Literal["random", "similar"] = "random"
    seed: int | None = None

    @model_validator(mode="after")
    def _check(self) -> Demonstrations:
        for index, example in enumerate(self.examples):
            try:
                _ = example.record
            except RecordError as error:
                raise TaskError(f"demonstrations[{index}]: {error}") from None
        if self.k is None:
            for key in ("multi_share", "per_record", "choice"):
                if getattr(self, key) not in (None, False, "random"):
                    raise TaskError(f"demonstrations.{key} needs demonstrations.k: how many")
            return self
        self.check_enough()
        return self

    def check_enough(self) -> None:
        """Raise TaskError unless the pool holds as many of each kind as are shown."""
        for kind, wanted in self._wanted().items():
            have = len(_of_kind(kind, self.examples))
            if have < wanted:
                raise TaskError(
                    f"demonstrations.k = {self.k} needs {wanted} with {_KINDS[kind]}, "
                    f"and there are {have}: lower k"
                    + (" or change multi_share" if kind != "any" else "")
                )

    def choose(self, seed: int, record: Record | None = None) -> tuple[Demonstration, ...]:
        """The examples that `record` is shown, in the order they are shown.

        seed: the task's, used where these have none of their own. `record` matters only if each
        has a choice of its own, which never holds the record itself (raises RecordError where too
        few are left).
        """
        if self.k is None:
            return self.examples
        name = f"demonstrations:{seed if self.seed is None else self.seed}"
        pool = self.examples
        if self.varies and record is not None:
            name += f":{record.digest}"
            pool = [example for example in pool if not example.shows(record)]
        draw = random.Random(name)
        likeness: dict[int, float] = {}
        if self.choice == "similar" and record is not None:
            likeness = dict(zip(map(id, self.examples), self._likeness(record), strict=True))
        chosen: list[Demonstration] = []
        for kind, wanted in self._wanted().items():
            fitting = _of_kind(kind, pool)
            if len(fitting) < wanted:
                raise RecordError(
                    f"needs {wanted} demonstrations with {_KINDS[kind]} other than the record "
                    f"itself, and there are {len(fitting)}: lower demonstrations.k"
                )
            if likeness:
                chosen += sorted(fitting, key=lambda e: -likeness[id(e)])[:wanted]
            else:
                chosen += draw.sample(fitting, wanted)
        if likeness:
            chosen.sort(key=lambda e: likeness[id(e)])
        else:
            draw.shuffle(chosen)
        return tuple(chosen)

    @property
    def varies(self) -> bool:
        """True if records are shown different examples."""
        return self.per_record or self.choice == "similar"

    def _likeness(self, record: Record) -> list[float]:
        """Cosine of each example's text to the record's."""
        vectorizer, weights = self._weights
        result = weights @ vectorizer.transform([record.plain]).T
        return result.toarray().ravel().tolist()

    @cached_property
    def _weights(self) -> tuple[Any, Any]:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
        return vectorizer, vectorizer.fit_transform([e.record.plain for e in self.examples])

    def _wanted(self) -> dict[str, int]:
        """Number of demonstrations to draw, by kind."""
        k = self.k or 0
        if self.multi_share is None:
            return {"any": k}
        many = round(k * self.multi_share)
        return {"one": k - many, "many": many}


_KINDS = {"any": "any labels", "one": "exactly one label", "many": "two or more labels"}


def _of_kind(kind: str, pool: Sequence[Demonstration]) -> Sequence[Demonstration]:
    if kind == "any":
        return pool
    if kind == "one":
        return [example for example in pool if len(example.labels) == 1]
    return [example for example in pool if len(example.labels) > 1]


def read_demonstrations(path: Path) -> list[dict[str, Any]]:
    """The demonstrations in a JSONL file, as a task holds them; other fields are left out.

    Raises TaskError naming the file and the line.
    """
    where = f"demonstrations.file {path}"
    try:
        with open_file(path) as file:
            return [_read_example(line, f"{where}, line {n}") for n, line in read_json_lines(file)]
    except TaskError:
        raise
    except LabelMassError as error:
        raise TaskError(
            f"demonstrations.file: {error}; the path is relative to the task file"
        ) from None


def _read_example(obj: Any, where: str) -> dict[str, Any]:
    if isinstance(obj, RecordError):
        raise TaskError(f"{where}: {obj}")
    if not isinstance(obj, Mapping):
        raise TaskError(f"{where}: not an object with 'text' and 'labels'")
    fields = dict(cast("Mapping[str, Any]", obj))
    labels = fields.pop("labels", None)
    if not isinstance(labels, list):
        raise TaskError(f"{where}: 'labels' must be a list of label names")
    try:
        record = Record.from_dict(fields, 0)
    except RecordError as error:
        raise TaskError(f"{where}: {error}") from None
    shown: dict[str, Any] = {
        "text": record.text,
        "prompt": record.prompt,
        "response": record.response,
    }
    if record.messages is not None:
        shown["messages"] = [{"role": m.role, "content": m.content} for m in record.messages]
    return {key: value for key, value in shown.items() if value is not None} | {"labels": labels}
