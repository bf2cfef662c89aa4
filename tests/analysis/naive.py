"""The analyses once more, slowly: from the script and the text of the greedy answer alone.

Labels are `a`, `b`, `ab` and `c` in a comma list without blanks; the empty answer is `none`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import mean

from labelmass.lm.scripted import ScriptedLanguageModel

LABELS = ["a", "b", "ab", "c"]
TOKENS = ["a", "b", "c", "a,", "b,", ",", ",c", "no", "ne", "none"]
Path = tuple[str, ...]


@dataclass
class NaiveStep:
    number: int
    kind: str
    label: str | None
    p: dict[str, float]  # empty if nothing can come
    z: float
    stop: float | None


@dataclass
class NaiveAnswer:
    written: list[str]
    ending: str
    empty: bool
    gold: set[str]
    order: list[str]
    steps: list[NaiveStep] = field(default_factory=list)

    @property
    def labels(self) -> list[str]:
        return [x for i, x in enumerate(self.written) if x not in self.written[:i]]


def closed(text: str, ended: bool) -> list[str] | None:
    """The items of an answer that are complete; None if it has left the format."""
    *done, rest = text.split(",")
    if any(item not in LABELS for item in done):
        return None
    first = [*LABELS, "none"] if not done else LABELS
    if ended:
        return [*done, rest] if rest in first else None
    return done if any(item.startswith(rest) for item in first) else None


def row(model: ScriptedLanguageModel, path: Path) -> dict[str | None, float]:
    """Next token -> probability; None is the end."""
    (end,) = model.tokenizer.end_ids
    found = model.distribution("", path)
    return {None if i == end else str(model.tokens[i]): p for i, p in found.items()}


def writing(
    model: ScriptedLanguageModel, path: Path, count: int
) -> Iterator[tuple[str, bool, float]]:
    """(item, whether the answer ends with it, probability) of the item after `count` items."""
    for token, p in row(model, path).items():
        text = "".join(path) + (token or "")
        items = closed(text, token is None)
        if items is None:
            continue
        if len(items) > count:
            yield items[count], token is None, p
        else:
            for item, ends, q in writing(model, (*path, token or ""), count):
                yield item, ends, p * q


def read(model: ScriptedLanguageModel, gold: set[str], order: list[str]) -> NaiveAnswer:
    path: Path = ()
    starts: list[tuple[int, Path]] = [(0, ())]  # how many items stand before a step
    before: list[Path] = []  # what stood before the token that completed each item
    while True:
        items = closed("".join(path), False) or []
        found = row(model, path)
        token = max(found, key=lambda t: found[t]) if found else "?"
        text = "".join(path) + (token or "")
        after = closed(text, token is None) if found else None
        if after is None:
            ending = "off-format"
            break
        before += [path] * (len(after) - len(items))
        items = after
        if token is None:
            ending = "complete"
            break
        path = (*path, token)
        if len(items) > starts[-1][0]:
            starts.append((len(items), path))
    answer = NaiveAnswer([i for i in items if i != "none"], ending, items == ["none"], gold, order)
    for count, begin in starts:
        found = list(writing(model, begin, count))
        z = sum(p for *_, p in found)
        shares = dict.fromkeys([*LABELS, "none"], 0.0)
        for item, _, p in found:
            shares[item] += p / z
        label, stop = None, None
        if count >= len(items):
            kind = "lost"
        elif items[count] == "none":
            kind = "none"
        else:
            label = items[count]
            kind = "last" if begin == starts[-1][1] else "intermediate"
            same = [(ends, p) for i, ends, p in writing(model, before[count], count) if i == label]
            stop = sum(p for ends, p in same if ends) / sum(p for _, p in same)
        answer.steps.append(NaiveStep(count + 1, kind, label, shares if found else {}, z, stop))
    return answer


def second(step: NaiveStep, left_out: list[str]) -> str | None:
    rest = {x: p for x, p in step.p.items() if x != step.label and x not in left_out and p > 0}
    return max(rest, key=lambda x: rest[x]) if rest else None


def contrast(last: list[float], other: list[float]) -> tuple[float, float, float] | None:
    """Difference of means, Kolmogorov-Smirnov distance, AUROC."""
    if not last or not other:
        return None
    below = lambda xs, at: mean(x <= at for x in xs)  # noqa: E731
    ks = max(abs(below(last, at) - below(other, at)) for at in [*last, *other])
    wins = mean((x > y) + 0.5 * (x == y) for x in last for y in other)
    return mean(last) - mean(other), ks, wins


def tops(answers: list[NaiveAnswer], kind: str, rank: int) -> list[float]:
    return [
        sorted(step.p.values())[-rank]
        for answer in answers
        for step in answer.steps
        if step.kind == kind and step.p
    ]


def bits(answers: list[NaiveAnswer], kind: str) -> list[float]:
    return [
        -sum(p * math.log2(p) for p in step.p.values() if p > 0)
        for answer in answers
        for step in answer.steps
        if step.kind == kind and step.p
    ]


def rank_hits(answers: list[NaiveAnswer], unwritten: bool) -> list[bool]:
    hits: list[bool] = []
    for answer in answers:
        for step in answer.steps:
            if step.kind != "intermediate" or step.number >= len(answer.written):
                continue
            before = answer.written[: step.number - 1] if unwritten else []
            after = answer.written[step.number]
            if unwritten and after in answer.written[: step.number]:
                continue
            e2 = second(step, before)
            if e2 not in (None, "none"):
                hits.append(e2 == after)
    return hits


def never(answers: list[NaiveAnswer]) -> tuple[list[bool], list[bool]]:
    """(corrected, published)."""
    ours: list[bool] = []
    published: list[bool] = []
    for answer in answers:
        for step in answer.steps:
            if answer.ending != "complete" or step.kind != "intermediate":
                continue
            e2 = second(step, [])
            if e2 is None or e2 == answer.written[step.number]:
                continue
            published.append(e2 not in answer.written)
            if e2 != "none" and e2 not in answer.written[: step.number - 1]:
                ours.append(e2 not in answer.written[step.number :])
    return ours, published


def several(answers: list[NaiveAnswer]) -> list[NaiveAnswer]:
    return [a for a in answers if a.ending == "complete" and len(set(a.written)) > 1]


def second_positions(answers: list[NaiveAnswer]) -> list[int]:
    found: list[int] = []
    for answer in several(answers):
        e2 = second(answer.steps[0], [])
        if e2 in answer.labels:
            found.append(answer.labels.index(e2) + 1)
    return found


def gold_at(answers: list[NaiveAnswer], j: int, least: int) -> list[bool]:
    return [
        answer.labels[j - 1] in answer.gold
        for answer in several(answers)
        if len(answer.gold) > 1 and len(answer.labels) >= least
    ]
