"""Slow, obvious references: enumerate everything a scripted model can write."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.task.formats import AnswerFormat


def random_script(seed: int, tokens: list[str], depth: int, width: int = 4):
    """A distribution that depends on the whole path; every path ends within `depth` tokens."""

    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        rng = random.Random(f"{seed}|{prompt}|{path}")
        if len(path) >= depth:
            return {END: 1.0}
        chosen = rng.sample([*tokens, END], min(width, len(tokens)))
        if not path and rng.random() < 0.9:
            chosen = [t for t in chosen if t != END] or chosen
        weights = [rng.expovariate(1.0) ** 2 + 1e-3 for _ in chosen]
        lost = rng.choice([0.0, 0.0, 0.2])
        total = sum(weights) / (1 - lost)
        return {t: w / total for t, w in zip(chosen, weights, strict=True)}

    return script


@dataclass(frozen=True)
class Reading:
    """What a text means under a format: labels written, whether it may go on, how it stands."""

    written: tuple[int, ...]  # labels in order, without repeats
    gate: bool
    viable: bool
    complete: bool  # a closing or stop text has been read
    can_end: bool  # complete if the model ended here
    none: bool = False
    listed: tuple[int, ...] = ()  # what was written, repeats and the empty answer (k) included


def read(fmt: AnswerFormat, spellings: list[str], text: str) -> Reading:
    """Naive reader of a strict format (no blanks), by trying every way to cut the text.

    Labels must not contain one another's separators, so that one reading survives.
    """
    best: Reading | None = None
    for reading in _readings(fmt, spellings, text):
        if best is None:
            best = reading
        else:  # several readings are alive: only what all agree on is written
            both = tuple(a for a, b in zip(best.written, reading.written, strict=False) if a == b)
            listed = tuple(a for a, b in zip(best.listed, reading.listed, strict=False) if a == b)
            end = best if best.can_end else reading
            best = Reading(
                both,
                best.gate and reading.gate,
                True,
                best.complete or reading.complete,
                end.can_end,
                end.none,
                listed,
            )
    return best or Reading((), False, False, False, False)


def _readings(fmt: AnswerFormat, spellings: list[str], text: str) -> Iterator[Reading]:
    if fmt.opening.startswith(text) and text != fmt.opening:
        yield Reading((), False, True, False, False)
        return
    if not text.startswith(fmt.opening):
        return
    text = text[len(fmt.opening) :]
    if fmt.none is not None:
        yield from _after(fmt, spellings, text, fmt.none, (), False, len(spellings))
    if fmt.gate is None:
        yield from _items(fmt, spellings, text, (), False)
        return
    whole = fmt.gate + fmt.gate_separator
    if whole.startswith(text) and text != whole:
        yield Reading((), len(text) > len(fmt.gate), True, False, False)
    elif text.startswith(whole):
        yield from _items(fmt, spellings, text[len(whole) :], (), True)


def _items(
    fmt: AnswerFormat, spellings: list[str], text: str, done: tuple[int, ...], gate: bool
) -> Iterator[Reading]:
    for label, spelling in enumerate(spellings):
        if fmt.repeats == "off-format" and label in done:
            continue
        yield from _after(fmt, spellings, text, fmt.spell(spelling), done, gate, label)


def _after(
    fmt: AnswerFormat,
    spellings: list[str],
    text: str,
    item: str,
    done: tuple[int, ...],
    gate: bool,
    output: int,
) -> Iterator[Reading]:
    """done: what is listed before `item`, which writes `output`: a label, or k, `none`."""
    none = output == len(spellings)

    def reading(listed: tuple[int, ...], complete: bool, ends: bool, empty: bool) -> Reading:
        written = tuple(dict.fromkeys(out for out in listed if out < len(spellings)))
        return Reading(written, gate, True, complete, ends, empty, listed)

    if item.startswith(text) and (text != item or text == ""):
        if text != item:
            yield reading(done, False, False, False)
            return
    if not text.startswith(item):
        return
    rest = text[len(item) :]
    now = (*done, output)
    if rest == "":
        yield reading(done, False, fmt.closing is None, none)
        return
    endings = [fmt.closing] if fmt.closing is not None else list(fmt.stops)
    for ending in endings:
        if rest.startswith(ending):
            yield reading(now, True, True, none)
        elif ending.startswith(rest):
            yield reading(now, False, False, none)
    if none or fmt.single:
        return
    unused = set(range(len(spellings))) - set(now)
    if fmt.repeats == "off-format" and not unused:
        return
    for separator in fmt.separators:
        if rest.startswith(separator):
            yield from _items(fmt, spellings, rest[len(separator) :], now, gate)
        elif separator.startswith(rest):
            yield reading(now, False, False, False)


@dataclass
class Exact:
    """Exact quantities of a scripted model under a format."""

    label: list[float]
    none: float
    gate: float
    off: float
    ended: float
    sets: dict[frozenset[int], float]
    pairs: dict[tuple[int, int], float]
    on_label: list[float]  # mass of complete answers that hold the label


def enumerate_answers(
    model: ScriptedLanguageModel,
    fmt: AnswerFormat,
    spellings: list[str],
    prompt: str = "",
    masked: bool = False,
) -> Exact:
    """Sum over every token path, one by one."""
    k = len(spellings)
    exact = Exact([0.0] * k, 0.0, 0.0, 0.0, 0.0, {}, {}, [0.0] * k)
    (end,) = model.tokenizer.end_ids

    def leave(mass: float, state: Reading, complete: bool) -> None:
        for label in state.written:
            exact.label[label] += mass
            for other in state.written:
                if label < other:
                    exact.pairs[label, other] = exact.pairs.get((label, other), 0.0) + mass
        exact.gate += mass * state.gate
        if not complete:
            exact.off += mass
            return
        exact.ended += mass
        exact.none += mass * state.none
        key = frozenset(state.written)
        exact.sets[key] = exact.sets.get(key, 0.0) + mass
        for label in state.written:
            exact.on_label[label] += mass

    def visit(path: tuple[str, ...], mass: float, before: Reading) -> None:
        row = model.distribution(prompt, path)
        branches: list[tuple[float, tuple[str, ...], Reading, bool]] = []
        for token, p in row.items():
            if token == end:
                ended = close(fmt, spellings, "".join(path), before)
                if ended is not None:
                    branches.append((p, path, ended, True))
                continue
            longer = (*path, model.tokens[token])
            now = read(fmt, spellings, "".join(map(str, longer)))
            if now.viable:
                branches.append((p, longer, now, now.complete))
        allowed = sum(p for p, *_ in branches)
        scale = 1.0 / allowed if masked and allowed else 1.0
        if not masked:
            leave(mass * max(1.0 - allowed, 0.0), before, False)
        elif not allowed:
            exact.off += mass
        for p, longer, now, complete in branches:
            share = mass * p * scale
            if complete:
                leave(share, now, True)
            else:
                visit(longer, share, now)

    visit((), 1.0, read(fmt, spellings, ""))
    return exact


def next_written(
    model: ScriptedLanguageModel, fmt: AnswerFormat, spellings: list[str], path: tuple[str, ...]
) -> list[float]:
    """P(the next label written, or the empty answer (last), is this one | the tokens so far)."""
    mass = [0.0] * (len(spellings) + 1)
    (end,) = model.tokenizer.end_ids
    base = len(read(fmt, spellings, "".join(path)).listed)

    def visit(path: tuple[str, ...], share: float, before: Reading) -> None:
        for token, p in model.distribution("", path).items():
            if token == end:
                now = close(fmt, spellings, "".join(path), before)
            else:
                longer = (*path, str(model.tokens[token]))
                now = read(fmt, spellings, "".join(longer))
            if now is None or not now.viable:
                continue
            if len(now.listed) > base:
                mass[now.listed[base]] += share * p
            elif token != end and not now.complete:
                visit((*path, str(model.tokens[token])), share * p, now)

    visit(path, 1.0, read(fmt, spellings, "".join(path)))
    return mass


def close(fmt: AnswerFormat, spellings: list[str], text: str, before: Reading) -> Reading | None:
    """What the text means if the model ends here; None if the answer cannot end."""
    if not before.can_end:
        return None
    mark = (fmt.stops or ("\x00",))[0]
    if fmt.stops:
        after = read(fmt, spellings, text + mark)
    else:
        after = read(_with_stop(fmt, mark), spellings, text + mark)
    return Reading(after.written, after.gate, True, True, True, after.none, after.listed)


def _with_stop(fmt: AnswerFormat, mark: str) -> AnswerFormat:
    from dataclasses import replace

    return replace(fmt, stops=(mark,))
