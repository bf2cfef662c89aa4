"""Readings of drawn answers: counting, the compensator, their combination, and a completed tree.

Source: METHODS A.6. Each is unbiased for P(label is written); all but counting use the label
probabilities at the steps of the drawn paths, not only what was drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass.answers.readings import Readings
from labelmass.answers.search import Needs
from labelmass.answers.steps import NextLabel
from labelmass.answers.tree import AnswerTree, Draws, Landing, Normalisation
from labelmass.errors import MethodError
from labelmass.estimators.base import Estimator, LabelScores, of_answer

Floats = NDArray[np.float64]

Z = 1.96
"""Standard normal quantile of the 95 % intervals."""

RESAMPLES = 1000
"""Bootstrap resamples of the paths."""

SAMPLES, COMPLETIONS, SKETCH = 100, 64, 48
"""Answers drawn, paths drawn from the open nodes, and rows of the tree before, by default."""


@dataclass(frozen=True)
class Drawn:
    """The distinct paths of some draws, m of them.

    times: (m,) how often each came. ended, cut: (m,) bool.
    written: (m, k) whether each label was newly written on the path.
    low, high: (m, k) the compensator: the sum of the label's probabilities to come next, over the
        steps of the path up to the one where it is written. Equal but for what was not read.
    """

    times: Floats
    ended: NDArray[np.bool_]
    cut: NDArray[np.bool_]
    written: Floats
    low: Floats
    high: Floats


def drawn(tree: AnswerTree, draws: Draws, *, hazards: bool = True) -> Drawn:
    """What the paths of `draws` wrote, and their compensators if `hazards`."""
    k, paths = len(tree.labels), draws.paths
    ways = NextLabel(tree, Normalisation(draws.normalisation), every=True)
    written, low, high = (np.zeros((len(paths), k)) for _ in range(3))
    for row, path in enumerate(paths):
        before = tree.written[path.start]
        new = [i for i in range(k) if (tree.written[path.end] & ~before) >> i & 1]
        written[row, new] = 1.0
        if hazards:
            for step in _steps(tree, path.start, path.end):
                found, left = ways.after(step)
                yet = np.array([not tree.written[step] >> i & 1 for i in range(k)])
                low[row] += found[:k] * yet
                high[row] += (found[:k] + left) * yet
        if path.how == Landing.CUT:  # what would have come may be any label
            high[row] += 1.0 - written[row]
    how = [path.how for path in paths]
    return Drawn(
        np.array([path.count for path in paths], dtype=np.float64),
        np.array([h == Landing.ENDED for h in how], dtype=np.bool_),
        np.array([h == Landing.CUT for h in how], dtype=np.bool_),
        written,
        low,
        high,
    )


def _steps(tree: AnswerTree, start: int, end: int) -> list[int]:
    """Where a path may begin a label: where it set off, and after each label it wrote."""
    nodes: list[int] = []
    while end != start:
        if tree.is_step(end):
            nodes.append(end)
        end = tree.parent[end]
    return [start, *reversed(nodes)]


def sampling(tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW) -> LabelScores:
    """The share of drawn answers that write the label, with its Wilson interval.

    On-format, of the complete ones. A path that was cut may have written what it had not yet.
    """
    paths = drawn(tree, _samples(tree, normalisation), hazards=False)
    counted = np.ones_like(paths.cut)
    if normalisation is Normalisation.ON_FORMAT:
        counted = paths.ended | paths.cut
        paths.written[paths.cut] = 0.0  # whether the answer would have parsed is not known
    times, written = paths.times[counted], paths.written[counted]
    n, sure = times.sum(), times @ written
    cut = (times * paths.cut[counted]) @ (1.0 - written)
    if n == 0:
        nothing = np.full(len(tree.labels), np.nan)
        return LabelScores(tree.labels, nothing, nothing, nothing, "sampled")
    low, high = _wilson(sure, n)[0], _wilson(sure + cut, n)[1]
    return LabelScores(tree.labels, (sure + cut / 2) / n, low, high, "sampled")


def hazard(tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW) -> LabelScores:
    """The mean compensator of the drawn answers, with a bootstrap interval; clipped to [0, 1]."""
    paths = drawn(tree, _samples(tree, normalisation))
    return _averaged(tree, paths.times, paths.low, paths.high)


def combined(tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW) -> LabelScores:
    """Counting and the compensator, weighted for the least variance: never much worse than either.

    The weight of each half of the paths is that which is best on the other half, so that the mean
    stays unbiased.
    """
    paths = drawn(tree, _samples(tree, normalisation))
    return _averaged(tree, *combine(paths))


def combine(paths: Drawn) -> tuple[Floats, Floats, Floats]:
    """One row per path drawn: weights of one, and its combined value, low and high."""
    rows = np.repeat(np.arange(len(paths.times)), paths.times.astype(int))
    rows = np.random.default_rng(0).permutation(rows)
    count, low, high = paths.written[rows], paths.low[rows], paths.high[rows]
    gap = count - (low + high) / 2
    values = [np.empty_like(count), np.empty_like(count)]
    for half in (0, 1):
        here, other = slice(half, None, 2), slice(1 - half, None, 2)
        centred = gap[other] - gap[other].mean(axis=0) if len(gap[other]) else gap[other]
        spread = (centred**2).sum(axis=0)
        share = np.divide(
            (centred * count[other]).sum(axis=0), spread, out=np.ones_like(spread), where=spread > 0
        )
        for value, end in zip(values, (low, high), strict=True):
            value[here] = count[here] - share * (count[here] - end[here])
    return np.ones(len(rows)), np.minimum(*values), np.maximum(*values)


def any_place_completed(
    tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW
) -> LabelScores:
    """What the tree found, plus the mean compensator of paths drawn from what it left open.

    The interval is statistical, and never outside the certified one.
    """
    draws = tree.completions
    if draws is None:
        raise MethodError(_NOT_DRAWN.format(name="any-place-completed"))
    _agree("any-place-completed", draws, normalisation)
    paths = drawn(tree, draws)
    n = paths.times.sum()
    least, most = (side[: len(tree.labels)] for side in Readings(tree, normalisation).intervals)
    found = np.array(draws.found)
    if n == 0:
        return LabelScores(tree.labels, found, least, most, "sampled")
    rest = _averaged(tree, paths.times, paths.low, paths.high, clip=False)
    scale = draws.share * n
    p, low, high = (
        np.clip(found + scale * side, least, most) for side in (rest.p, rest.low, rest.high)
    )
    return LabelScores(tree.labels, p, low, high, "sampled")


def _averaged(
    tree: AnswerTree, times: Floats, low: Floats, high: Floats, *, clip: bool = True
) -> LabelScores:
    """The mean of the rows, each counted `times`, with a percentile bootstrap interval."""
    n = int(times.sum())
    middle = times @ (low + high) / 2 / n
    draws = np.random.default_rng(0).multinomial(n, times / n, size=RESAMPLES) / n
    least = np.quantile(draws @ low, 0.025, axis=0)
    most = np.quantile(draws @ high, 0.975, axis=0)
    least, most = np.minimum(least, middle), np.maximum(most, middle)
    if clip:
        middle, least, most = (np.clip(side, 0.0, 1.0) for side in (middle, least, most))
    return LabelScores(tree.labels, middle, least, most, "sampled")


def _wilson(count: Floats, n: float) -> tuple[Floats, Floats]:
    """The 95 % Wilson score interval of count / n."""
    share = count / n
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


_NOT_DRAWN = "{name}: nothing was drawn when this tree was grown; score again with --method {name}"


def _samples(tree: AnswerTree, normalisation: Normalisation) -> Draws:
    if tree.samples is None:
        raise MethodError(_NOT_DRAWN.format(name="sampling"))
    _agree("sampling", tree.samples, normalisation)
    return tree.samples


def _agree(name: str, draws: Draws, normalisation: Normalisation) -> None:
    masked = normalisation is Normalisation.MASKED
    if masked != (draws.normalisation == Normalisation.MASKED):
        raise MethodError(
            f"{name}: these answers were drawn {draws.normalisation}, so they say nothing of "
            f"{normalisation} probabilities; score again with --normalise {normalisation}"
        )


RAW_OR_MASKED = (Normalisation.RAW, Normalisation.MASKED)

SAMPLING = Estimator(
    "sampling",
    "share of drawn answers that write the label",
    "METHODS A.6, counting; P1 mentions it",
    "the distinct nodes of the drawn answers",
    Needs(tree=False, samples=SAMPLES),
    of_answer(sampling),
)
HAZARD = Estimator(
    "hazard",
    "mean compensator of drawn answers: what was likely at each step, not only what was drawn",
    "METHODS A.6, compensator; ours",
    "those nodes, and a label trie at each step of theirs",
    Needs(tree=False, samples=SAMPLES, hazards=True),
    of_answer(hazard),
    normalisations=RAW_OR_MASKED,
)
COMBINED = Estimator(
    "sampling-combined",
    "counting and compensator, weighted for the least variance",
    "METHODS A.6, combination; ours",
    "that of hazard",
    Needs(tree=False, samples=SAMPLES, hazards=True),
    of_answer(combined),
    normalisations=RAW_OR_MASKED,
)
ANY_PLACE_COMPLETED = Estimator(
    "any-place-completed",
    "a small tree, and an unbiased estimate of what it leaves open",
    "METHODS A.6 on the open mass of A.3; ours",
    "the small tree, and the nodes and tries of the drawn paths",
    Needs(tree=False, sketch=SKETCH, completions=COMPLETIONS),
    of_answer(any_place_completed),
    normalisations=RAW_OR_MASKED,
)
