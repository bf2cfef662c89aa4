"""Reference for formats of fields: every answer written out, and every path of a scripted model.

An answer is a text with its events: (place, output), where the place is how many characters must be
read before the output is written. A text is read by the answers that agree with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from labelmass._types import Normalisation
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.task.fields import FieldFormat

MOST = 5
"""More labels than a random script has the tokens for."""

Events = tuple[tuple[int, int], ...]


def answers(fmt: FieldFormat, spellings: list[str]) -> dict[str, Events]:
    """Every complete answer of a strict format, at most `MOST` labels in a list, and its events."""
    k = len(spellings)
    number = {name: k + 3 + at for at, name in enumerate(fmt.value_names)}
    results: dict[str, Events] = {}

    def add(index: int, text: str, events: Events, chosen: dict[str, str], risk: bool) -> None:
        if index == len(fmt.fields):
            end = len(text) + 1
            results[text + (fmt.closing or "")] = events if risk else (*events, (end, k))
            return
        field = fmt.fields[index]
        met = sum(chosen.get(name) in values for name, values in field.when)
        allowed = met > 0 if field.match == "any" else met == len(field.when)
        if field.optional or (not allowed and field.none is None):
            add(index + 1, text, events, chosen, risk)
        if not allowed and field.none is None:
            return
        begun = text + field.lead
        for value in field.values:
            for spelling in value.spellings:
                after = begun + spelling
                place = len(after) + (not value.risk)
                wrote = [*value.labels, *([k + 1] if value.risk else [])]
                wrote.append(number[field.name, value.name])
                add(
                    index + 1,
                    after,
                    (*events, *((place, output) for output in wrote)),
                    chosen | {field.name: value.name},
                    risk or value.risk,
                )
        if field.none is not None:
            after = begun + field.none
            event = (len(after) + 1, number[field.name, field.none])
            add(index + 1, after, (*events, event), chosen, risk)
        if field.labels and allowed:
            for count in range(1, 2 if field.single else MOST + 1):
                for listed in product(field.labels, repeat=count):
                    after, some = begun, events
                    for at, label in enumerate(listed):
                        after += (field.separators[0] if at else "") + spellings[label]
                        some = (*some, (len(after) + 1, label))
                    add(index + 1, after, some, chosen, risk)

    add(0, fmt.opening, (), {}, False)
    return results


@dataclass(frozen=True)
class Path:
    """An end of a path of the model: its mass, what it wrote, and how it ended."""

    mass: float
    written: frozenset[int]
    ended: bool


class Reference:
    """Exact probabilities of a scripted model under a strict format."""

    def __init__(
        self, model: ScriptedLanguageModel, fmt: FieldFormat, spellings: list[str]
    ) -> None:
        self.k, self.risk = len(spellings), len(spellings) + 1
        self._answers = answers(fmt, spellings)
        self._model, self._closed = model, fmt.closing is not None
        self._end = min(model.tokenizer.end_ids)
        self.paths = list(self._walk((), 1.0))

    def probability(self, output: int, normalisation: Normalisation) -> float | None:
        """P(output), or None where there is nothing to divide by."""
        if normalisation is Normalisation.RAW:
            return sum(p.mass for p in self.paths if output in p.written)
        readable = [p for p in self.paths if p.ended or self.risk in p.written]
        total = sum(path.mass for path in readable)
        return sum(p.mass for p in readable if output in p.written) / total if total else None

    @property
    def off_format(self) -> float:
        return sum(p.mass for p in self.paths if not p.ended and self.risk not in p.written)

    def _walk(self, path: tuple[str, ...], mass: float) -> Iterator[Path]:
        text = "".join(path)
        lost = mass
        for token, p in self._model.distribution("", path).items():
            lost -= mass * p
            if token == self._end:
                whole = text in self._answers and not self._closed
                yield Path(mass * p, self._written(text, ended=whole), whole)
                continue
            longer = text + str(self._model.tokens[token])
            if complete := [a for a in self._answers if self._closed and longer.startswith(a)]:
                yield Path(mass * p, self._written(complete[0], ended=True), True)
            elif any(answer.startswith(longer) for answer in self._answers):
                yield from self._walk((*path, str(self._model.tokens[token])), mass * p)
            else:
                yield Path(mass * p, self._left(text, longer), False)
        if lost > 1e-12:
            yield Path(lost, self._written(text, ended=False), False)

    def _left(self, text: str, longer: str) -> frozenset[int]:
        """Written where a token leaves the format: all up to there if that holds a risk."""
        while not any(answer.startswith(longer) for answer in self._answers):
            longer = longer[:-1]
        written = self._written(longer, ended=False)
        return written if self.risk in written else self._written(text, ended=False)

    def _written(self, text: str, *, ended: bool) -> frozenset[int]:
        if ended:
            return frozenset(output for _, output in self._answers[text])
        agree = [events for answer, events in self._answers.items() if answer.startswith(text)]
        settled = [{out for place, out in events if place <= len(text)} for events in agree]
        return frozenset(set[int].intersection(*settled)) if settled else frozenset()
