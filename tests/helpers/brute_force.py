"""Slow, obvious references: enumerate everything a scripted model can write."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

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
    verdict_prefix: bool  # the word of a risk verdict has been read
    viable: bool
    complete: bool  # a closing or stop text has been read
    can_end: bool  # complete if the model ended here
    empty: bool = False
    listed: tuple[int, ...] = ()  # what was written, repeats and the empty answer (k) included
    labelled: bool = False  # the text of a label has been read, with its boundary or without


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
                best.verdict_prefix and reading.verdict_prefix,
                True,
                best.complete or reading.complete,
                end.can_end,
                end.empty,
                listed,
                best.labelled or reading.labelled,
            )
    return best or Reading((), False, False, False, False)


def _readings(fmt: AnswerFormat, spellings: list[str], text: str) -> Iterator[Reading]:
    if fmt.opening.startswith(text) and text != fmt.opening:
        yield Reading((), False, True, False, False)
        return
    if not text.startswith(fmt.opening):
        return
    text = text[len(fmt.opening) :]
    if fmt.empty is not None:
        yield from _after(fmt, spellings, text, fmt.empty, (), False, len(spellings))
    if fmt.verdict_prefix is None:
        yield from _items(fmt, spellings, text, (), False)
        return
    whole = fmt.verdict_prefix + fmt.verdict_separator
    if whole.startswith(text) and text != whole:
        yield Reading((), len(text) >= len(fmt.verdict_prefix), True, False, False)
    elif text.startswith(whole):
        yield from _items(fmt, spellings, text[len(whole) :], (), True)


def _items(
    fmt: AnswerFormat, spellings: list[str], text: str, done: tuple[int, ...], verdict_prefix: bool
) -> Iterator[Reading]:
    for label, spelling in enumerate(spellings):
        if fmt.repeats == "off-format" and label in done:
            continue
        yield from _after(fmt, spellings, text, fmt.spell(spelling), done, verdict_prefix, label)


def _after(
    fmt: AnswerFormat,
    spellings: list[str],
    text: str,
    item: str,
    done: tuple[int, ...],
    verdict_prefix: bool,
    output: int,
) -> Iterator[Reading]:
    """done: what is listed before `item`, which writes `output`: a label, or k, `none`."""
    empty = output == len(spellings)
    residual = text[len(item) :] if text.startswith(item) else None

    def reading(listed: tuple[int, ...], complete: bool, ends: bool, empty: bool) -> Reading:
        written = tuple(dict.fromkeys(out for out in listed if out < len(spellings)))
        labelled = bool(written) or (residual == "" and not empty)
        return Reading(written, verdict_prefix, True, complete, ends, empty, listed, labelled)

    if item.startswith(text) and (text != item or text == ""):
        if text != item:
            yield reading(done, False, False, False)
            return
    if residual is None:
        return
    now = (*done, output)
    if residual == "":
        yield reading(done, False, fmt.closing is None, empty)
        return
    endings = [fmt.closing] if fmt.closing is not None else list(fmt.stops)
    for ending in endings:
        if residual.startswith(ending):
            yield reading(now, True, True, empty)
        elif ending.startswith(residual):
            yield reading(now, False, False, empty)
    if empty or fmt.single:
        return
    unused = set(range(len(spellings))) - set(now)
    if fmt.repeats == "off-format" and not unused:
        return
    for separator in fmt.separators:
        if residual.startswith(separator):
            yield from _items(fmt, spellings, residual[len(separator) :], now, verdict_prefix)
        elif separator.startswith(residual):
            yield reading(now, False, False, False)


BLANKS, MARKS = " \t\r\n", " \t\r\n,;"


def read_guard(fmt: AnswerFormat, codes: list[str], text: str) -> tuple[Reading, tuple[int, ...]]:
    """Naive reader of a guard's answers as models write them; and the labels if it ended here.

    Codes are letters and digits; neither of the words begins with the other.
    """
    lost = Reading((), False, False, False, False), ()
    words = [word for word in (fmt.verdict_prefix, fmt.empty) if word]
    text = text.lstrip(BLANKS).lower()
    word = next((word for word in words if text.startswith(word)), None)
    if word is None:
        begun = any(word.startswith(text) for word in words)
        return Reading((), False, begun, False, False), ()
    residual = text[len(word) :]
    if word == fmt.empty:
        stop = residual.strip(BLANKS) in ("", ".")
        return (Reading((), False, True, False, True, True), ()) if stop else lost
    listed: list[int] = []

    def behind(viable: bool, ends: bool) -> Reading:
        return Reading(_once(listed), True, viable, False, ends, listed=tuple(listed))

    while True:
        item = residual.lstrip(MARKS)
        between = residual[: len(residual) - len(item)]
        if not item:  # nothing yet, or behind a code and what parts it from the next
            return behind(True, bool(listed) and not between.strip(BLANKS)), tuple(listed)
        if not between:
            return lost
        length = next((n for n, char in enumerate(item) if not char.isalnum()), len(item))
        name, residual = item[:length], item[length:]
        code = next((i for i, c in enumerate(codes) if c.lower() == name), None)
        if code is None:
            return behind(
                not residual and any(c.lower().startswith(name) for c in codes), False
            ), ()
        if not residual or (residual[0] == "." and not residual[1:].strip(BLANKS)):
            return behind(True, True), (*listed, code)
        listed.append(code)


def _once(listed: Sequence[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(listed))


def look_at(fmt: AnswerFormat, spellings: list[str], text: str) -> Reading:
    """What a text means, by the naive reader of its format."""
    return read_guard(fmt, spellings, text)[0] if _usual(fmt) else read(fmt, spellings, text)


def _usual(fmt: AnswerFormat) -> bool:
    return fmt.verdict_prefix is not None and fmt.tolerate == "usual"


@dataclass
class Exact:
    """Exact quantities of a scripted model under a format.

    after_label: mass that leaves the format after the text of a label. readable: mass whose verdict
    can be read, where the format has one.
    """

    label: list[float]
    empty: float
    verdict_prefix: float
    off: float
    ended: float
    sets: dict[frozenset[int], float]
    pairs: dict[tuple[int, int], float]
    on_label: list[float]  # mass of complete answers that hold the label
    unreadable: float = 0.0
    after_label: float = 0.0

    @property
    def readable(self) -> float:
        return self.empty + self.verdict_prefix


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

    def look(text: str) -> Reading:
        return look_at(fmt, spellings, text)

    def leave(mass: float, state: Reading, complete: bool) -> None:
        for label in state.written:
            exact.label[label] += mass
            for other in state.written:
                if label < other:
                    exact.pairs[label, other] = exact.pairs.get((label, other), 0.0) + mass
        exact.verdict_prefix += mass * state.verdict_prefix
        if not complete and state.verdict_prefix:
            exact.unreadable += mass
            return
        if not complete:
            exact.off += mass
            exact.after_label += mass * state.labelled
            return
        exact.ended += mass
        exact.empty += mass * state.empty
        key = frozenset(state.written)
        exact.sets[key] = exact.sets.get(key, 0.0) + mass
        for label in state.written:
            exact.on_label[label] += mass

    def visit(path: tuple[str, ...], mass: float, before: Reading) -> None:
        row = model.distribution(prompt, path)
        text = "".join(path)
        branches: list[tuple[float, tuple[str, ...], Reading]] = []
        ended: list[tuple[float, Reading, bool]] = []  # complete, or left the format in this token
        for token, p in row.items():
            if token == end:
                if (last := close(fmt, spellings, text, before)) is not None:
                    ended.append((p, last, True))
                continue
            longer = (*path, str(model.tokens[token]))
            now = look("".join(longer))
            if now.complete:
                ended.append((p, now, True))
            elif now.viable:
                branches.append((p, longer, now))
            else:
                state = _before_leaving(look, text, longer[-1])
                if not state.verdict_prefix:  # a token that is no move writes nothing
                    state = replace(state, written=before.written)
                ended.append((p, state, False))
        lost = max(1.0 - sum(p for p, *_ in branches) - sum(p for p, *_ in ended), 0.0)
        scale = 1.0
        if masked:
            # a token that is the verdict and more is kept: without it the verdict would be gone
            kept = [
                one
                for one in ended
                if one[2] or (one[1].verdict_prefix and not before.verdict_prefix)
            ]
            allowed = sum(p for p, *_ in kept) + sum(p for p, *_ in branches)
            if allowed:  # or else the place is a dead end, and all that leaves stays
                ended, scale, lost = kept, 1.0 / allowed, 0.0
        leave(mass * lost, before, False)
        for p, state, whole in ended:
            leave(mass * p * scale, state, whole)
        for p, longer, now in branches:
            visit(longer, mass * p * scale, now)

    visit((), 1.0, look(""))
    return exact


def next_written(
    model: ScriptedLanguageModel, fmt: AnswerFormat, spellings: list[str], path: tuple[str, ...]
) -> list[float]:
    """P(the next label written, or the empty answer (last), is this one | the tokens so far)."""
    mass = [0.0] * (len(spellings) + 1)
    (end,) = model.tokenizer.end_ids

    def look(text: str) -> Reading:
        return look_at(fmt, spellings, text)

    base = len(look("".join(path)).listed)

    def visit(path: tuple[str, ...], share: float, before: Reading) -> None:
        for token, p in model.distribution("", path).items():
            if token == end:
                now = close(fmt, spellings, "".join(path), before)
            else:
                word = str(model.tokens[token])
                now = look("".join((*path, word)))
                if not now.viable:  # what left behind a risk verdict wrote its codes
                    now = _before_leaving(look, "".join(path), word)
                    now = replace(now, complete=True) if now.verdict_prefix else None
            if now is None:
                continue
            if len(now.listed) > base:
                mass[now.listed[base]] += share * p
            elif token != end and not now.complete:
                visit((*path, str(model.tokens[token])), share * p, now)

    visit(path, 1.0, look("".join(path)))
    return mass


def close(fmt: AnswerFormat, spellings: list[str], text: str, before: Reading) -> Reading | None:
    """What the text means if the model ends here; None if the answer cannot end."""
    if not before.can_end:
        return None
    if _usual(fmt):
        listed = read_guard(fmt, spellings, text)[1] or (len(spellings),)
        written = () if before.empty else _once(listed)
        return Reading(written, before.verdict_prefix, True, True, True, before.empty, listed)
    mark = (fmt.stops or ("\x00",))[0]
    if fmt.stops:
        after = read(fmt, spellings, text + mark)
    else:
        after = read(_with_stop(fmt, mark), spellings, text + mark)
    return Reading(after.written, after.verdict_prefix, True, True, True, after.empty, after.listed)


def _before_leaving(look: Callable[[str], Reading], text: str, token: str) -> Reading:
    """What stood where a token left the format."""
    for length in reversed(range(len(token) + 1)):
        if (state := look(text + token[:length])).viable:
            return state
    raise AssertionError


def _with_stop(fmt: AnswerFormat, mark: str) -> AnswerFormat:
    return replace(fmt, stops=(mark,))
