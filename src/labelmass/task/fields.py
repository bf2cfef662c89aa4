"""Answers made of fields in a fixed order, as guard models write them.

    Safety: Unsafe            a choice between values, some of which are a risk
    Categories: Violent, PII  a list of labels, or the word for none
    Refusal: No               a further choice, which may be left out

A label is written by a list that holds it, or by a value of a choice. What an answer with a risk
means, and what becomes of one that leaves the format: docs/formulas.md#guards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from labelmass.errors import TaskError
from labelmass.task.formats import AnswerFormat


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a choice.

    Attributes:
        spellings: The first is written, all are read.
        risk: Whether it is a verdict of risk. It then counts as soon as its last byte is written.
        labels: Indices of the labels that it writes.
    """

    name: str
    spellings: tuple[str, ...]
    risk: bool = False
    labels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """A part of an answer: a choice between values, or a list of labels.

    Attributes:
        lead: Text before it.
        values: Values of a choice; () for a list.
        labels: Indices of the labels of a list.
        none: Word for a list without labels; None if there is none.
        separators: Between labels; the first is written, all are read.
        single: At most one label.
        when: Values of earlier choices with which this field is written; () for any. A list that
            has a word for none is then written with any, and holds labels only with these.
        match: Whether all of the choices of `when` must have such a value, or "any" of them.
        optional: Whether the answer may end before it.
    """

    name: str
    lead: str = ""
    values: tuple[Value, ...] = ()
    labels: tuple[int, ...] = ()
    none: str | None = None
    separators: tuple[str, ...] = (",",)
    single: bool = False
    when: tuple[tuple[str, tuple[str, ...]], ...] = ()
    match: Literal["all", "any"] = "all"
    optional: bool = False

    def holds(self, choices: Mapping[str, str]) -> bool:
        """True if `when` allows the field, after these choices."""
        met = [choices.get(name) in values for name, values in self.when]
        return not met or (any(met) if self.match == "any" else all(met))


@dataclass(frozen=True, slots=True)
class FieldFormat(AnswerFormat):
    """A format of fields; of the parts of `AnswerFormat`, those around and within items hold too.

    Attributes:
        fields: In the order in which they are written.
        word_ends: Whether the answer ends where a value of the last field does, whatever follows.
    """

    fields: tuple[Field, ...] = ()
    word_ends: bool = False

    def __post_init__(self) -> None:
        values = [value for field in self.fields for value in field.values]
        risks = [value for value in values if value.risk]
        if not risks:
            raise TaskError("fields: no value is a risk: mark those that are with risk = true")
        safe = next((value for value in self.fields[0].values if not value.risk), None)
        if safe is None:
            raise TaskError("fields[0] must be a choice with a value that is no risk")
        object.__setattr__(self, "verdict_prefix", risks[0].spellings[0])
        object.__setattr__(self, "empty", safe.spellings[0])
        AnswerFormat.__post_init__(self)
        self._check()

    def _check(self) -> None:
        known: dict[str, set[str]] = {}
        for index, field in enumerate(self.fields):
            where = f"fields[{index}]"
            if bool(field.values) == bool(field.labels):
                raise TaskError(f"{where}: give it values, or labels of a list")
            if field.name in known:
                raise TaskError(f"{where}.name is {field.name!r}, as of another field")
            if index and not field.lead:
                raise TaskError(f"{where}.lead is missing: the text between two fields")
            for name, values in field.when:
                if name not in known or not values or set(values) - known[name]:
                    raise TaskError(f"{where}.when: {name!r} is no earlier choice with such values")
            known[field.name] = {value.name for value in field.values}
            names = [value.name for value in field.values]
            if len(set(names)) < len(names):
                raise TaskError(f"{where}.values: a name comes twice")

    @property
    def value_names(self) -> tuple[tuple[str, str], ...]:
        """Field and name of every value, the word for none of a list among them."""
        return tuple(
            (field.name, name)
            for field in self.fields
            for name in (
                *(value.name for value in field.values),
                *([field.none] if field.none is not None else []),
            )
        )

    def strict(self) -> FieldFormat:
        """The same format reading only what it writes."""
        fields = tuple(
            replace(
                field,
                separators=field.separators[:1],
                values=tuple(replace(v, spellings=v.spellings[:1]) for v in field.values),
            )
            for field in self.fields
        )
        return replace(self, fields=fields, blanks="", ignore_case=False, tolerate="strict")

    def respelt(self, write: Callable[[str], str | None]) -> FieldFormat:
        """The same format with its texts as `write` gives them; None leaves one as it is."""

        def also(spellings: Sequence[str]) -> tuple[str, ...]:
            forms = ((write(text) or "").strip() for text in spellings)
            return tuple(dict.fromkeys([*spellings, *filter(None, forms)]))

        fields = tuple(
            replace(
                field,
                lead=write(field.lead) or field.lead,
                none=field.none and (write(field.none) or field.none),
                values=tuple(replace(v, spellings=also(v.spellings)) for v in field.values),
            )
            for field in self.fields
        )
        closing = self.closing and (write(self.closing) or self.closing)
        opening = write(self.opening) or self.opening
        return replace(self, fields=fields, opening=opening, closing=closing)

    def examples(self, spellings: Sequence[Sequence[str]]) -> Iterator[str]:
        """Short answers: one for every choice of values, with one label in a list."""
        choices = [field for field in self.fields if field.values]
        for values in product(*(field.values for field in choices)):
            by_name = {f.name: value for f, value in zip(choices, values, strict=True)}
            names = {name: value.name for name, value in by_name.items()}
            text = self.opening
            for field in self.fields:
                if field.values and field.holds(names):
                    text += field.lead + by_name[field.name].spellings[0]
                elif field.labels and field.holds(names):
                    text += field.lead + self.spell(spellings[field.labels[0]][0])
                elif field.none is not None:
                    text += field.lead + field.none
            yield text + (self.closing or "")

    def write(self, spellings: Sequence[str]) -> str:
        raise TaskError("the answer of a guard has fields: it cannot be written from labels alone")
