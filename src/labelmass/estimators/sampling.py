"""Estimators from drawn answers: counting, compensator, their combination, a completed tree.

Formulas: docs/formulas.md#sampling and the sections after it.
Each is unbiased for P(label is written); all but counting use the label
probabilities at the steps of the drawn paths, not only what was drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelmass._math import wilson
from labelmass._types import Floats, Normalisation
from labelmass.answers.marginals import Marginals
from labelmass.answers.path_sampler import MIN_WEIGHT
from labelmass.answers.search import Requirements
from labelmass.answers.steps import NextLabel, members
from labelmass.answers.tree import AnswerTree, SampledPaths, Termination
from labelmass.errors import MethodError
from labelmass.estimators.base import Estimator, LabelScores, of_answer

Z = 1.96
"""Standard normal quantile of the 95 % intervals."""

RESAMPLES = 1000
"""Bootstrap resamples of the paths."""

SAMPLES, COMPLETIONS, INITIAL_NODES = 100, 64, 48
"""Answers drawn, paths drawn from the open nodes, and nodes expanded before, by default."""


@dataclass(frozen=True)
class PathStatistics:
    """The distinct paths of some draws, m of them.

    times: (m,) how often each came. ended, cut: (m,) bool. risk: (m,) bool, whether a risk verdict
        was written, so that the answer counts whatever follows.
    written: (m, k) whether each label was newly written on the path.
    low, high: (m, k) the compensator: the sum of the label's probabilities to come next, over the
        steps of the path up to the one where it is written. Equal unless the path was cut.
    """

    times: Floats
    ended: NDArray[np.bool_]
    cut: NDArray[np.bool_]
    risk: NDArray[np.bool_]
    written: Floats
    low: Floats
    high: Floats


def path_statistics(
    tree: AnswerTree, draws: SampledPaths, *, compensators: bool = True
) -> PathStatistics:
    """Labels that the paths of `draws` wrote, and the compensators unless they are not wanted.

    At a step, the probabilities are those of what was read wherever the paths went. A label that
    the path itself writes in another way is counted as it came, so that the mean stays unbiased.
    """
    k, paths = len(tree.labels), draws.paths
    ways = NextLabel(
        tree,
        Normalisation(draws.normalisation),
        every=True,
        reads=lambda node, raw: raw >= MIN_WEIGHT or node in draws.read,
    )
    written, low = (np.zeros((len(paths), k)) for _ in range(2))
    for row, path in enumerate(paths):
        before = tree.written[path.start]
        written[row] = members(tree.written[path.end] & ~before, k)
        for step, writer in _steps(tree, path.start, path.end) if compensators else ():
            low[row] += ways.after(step).mass[:k] * ~members(tree.written[step], k)
            if writer is not None and tree.parent[writer] not in ways.read_below(step):
                low[row] += members(tree.written[writer] & ~tree.written[step], k)
    how = [path.how for path in paths]
    cut = np.array([h == Termination.CUT for h in how], dtype=np.bool_)
    return PathStatistics(
        np.array([path.count for path in paths], dtype=np.float64),
        np.array([h == Termination.ENDED for h in how], dtype=np.bool_),
        cut,
        np.array(
            [tree.written[path.end] >> tree.verdict_prefix & 1 for path in paths], dtype=np.bool_
        ),
        written,
        low,
        low + cut[:, None] * (1.0 - written),  # what would have come may be any label
    )


def _steps(tree: AnswerTree, start: int, end: int) -> list[tuple[int, int | None]]:
    """Nodes where a path may begin a label, each with the node that then wrote one, if any.

    Where it set off, and after each label it wrote if more may follow.
    """
    nodes: list[int] = []
    while end != start:
        nodes.append(end)
        end = tree.parent[end]
    steps: list[tuple[int, int | None]] = []
    step: int | None = start
    for node in reversed(nodes):
        if step is not None and tree.writes_label(node):
            steps.append((step, node))
            step = node if tree.is_step(node) else None
    return steps if step is None else [*steps, (step, None)]


def sampling(tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW) -> LabelScores:
    """The share of drawn answers that write the label, with its Wilson interval.

    On-format, of the complete ones. A path that was cut may have written what it had not yet: it
    widens the interval, and counts only for what it wrote.
    """
    paths = path_statistics(tree, _samples(tree, normalisation), compensators=False)
    counted = np.ones_like(paths.cut)
    if normalisation is Normalisation.ON_FORMAT:
        counted = paths.ended | paths.cut
        unsure = paths.cut & ~paths.risk  # whether the answer would have parsed is not known
        paths.written[unsure] = 0.0
    times, written = paths.times[counted], paths.written[counted]
    n, sure = times.sum(), times @ written
    cut = (times * paths.cut[counted]) @ (1.0 - written)
    if n == 0:
        nothing = np.full(len(tree.labels), np.nan)
        return LabelScores(tree.labels, nothing, nothing, nothing, "sampled")
    low, high = wilson(sure, n, Z)[0], wilson(sure + cut, n, Z)[1]
    return LabelScores(tree.labels, _known_share(sure, n - cut), low, high, "sampled")


def hazard(tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW) -> LabelScores:
    """The mean compensator of the drawn answers, with a bootstrap interval; clipped to [0, 1]."""
    paths = path_statistics(tree, _samples(tree, normalisation))
    return _averaged(tree, paths.times, paths.low, paths.high)


def combined(tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW) -> LabelScores:
    """Counting and the compensator, weighted for the least variance: never much worse than either.

    The weight of each half of the paths is that which is best on the other half, so that the mean
    stays unbiased.
    """
    paths = path_statistics(tree, _samples(tree, normalisation))
    return _averaged(tree, *combine(paths))


def combine(paths: PathStatistics) -> tuple[Floats, Floats, Floats]:
    """One row per path drawn: weights of one, and its combined value, low and high."""
    rows = np.repeat(np.arange(len(paths.times)), paths.times.astype(int))
    rows = np.random.default_rng(0).permutation(rows)
    count, low, unknown = paths.written[rows], paths.low[rows], (paths.high - paths.low)[rows]
    gap, value = count - low, np.empty_like(count)
    for half in (0, 1):
        here, other = slice(half, None, 2), slice(1 - half, None, 2)
        centred = gap[other] - gap[other].mean(axis=0) if len(gap[other]) else gap[other]
        spread = (centred**2).sum(axis=0)
        share = np.divide(
            (centred * count[other]).sum(axis=0), spread, out=np.ones_like(spread), where=spread > 0
        )
        value[here] = count[here] - share * gap[here]
    return np.ones(len(rows)), value, value + unknown


def any_place_completed(
    tree: AnswerTree, normalisation: Normalisation = Normalisation.RAW
) -> LabelScores:
    """Marginals of the tree, plus the mean compensator of paths drawn from its open mass.

    The interval is statistical, and never outside the certified one.
    """
    draws = tree.completions
    if draws is None:
        raise MethodError(_NOT_DRAWN.format(name="any-place-completed"))
    _agree("any-place-completed", draws, normalisation)
    paths = path_statistics(tree, draws)
    n = paths.times.sum()
    least, most = (side[: len(tree.labels)] for side in Marginals(tree, normalisation).intervals)
    result = np.array(draws.found)
    if n == 0:
        return LabelScores(tree.labels, result, least, most, "sampled")
    rest = _averaged(tree, paths.times, paths.low, paths.high, clip=False)
    scale = draws.share * n
    p, low, high = (
        np.clip(result + scale * side, least, most) for side in (rest.p, rest.low, rest.high)
    )
    return LabelScores(tree.labels, p, low, high, "sampled")


def _averaged(
    tree: AnswerTree, times: Floats, low: Floats, high: Floats, *, clip: bool = True
) -> LabelScores:
    """The mean of the rows, each counted `times`, with a percentile bootstrap interval.

    What cut paths left open, high less low, is taken to be as the rest.
    """
    n = int(times.sum())
    middle = _known_share(times @ low, n - times @ (high - low))
    draws = np.random.default_rng(0).multinomial(n, times / n, size=RESAMPLES) / n
    least = np.quantile(draws @ low, 0.025, axis=0)
    most = np.quantile(draws @ high, 0.975, axis=0)
    least, most = np.fmin(least, middle), np.fmax(most, middle)
    if clip:
        middle, least, most = (np.clip(side, 0.0, 1.0) for side in (middle, least, most))
    return LabelScores(tree.labels, middle, least, most, "sampled")


def _known_share(count: Floats, of: Floats) -> Floats:
    """count / of, NaN where all is unknown."""
    return np.divide(count, of, out=np.full_like(count, np.nan), where=of > 0)


_NOT_DRAWN = "{name}: nothing was drawn when this tree was grown; score again with --method {name}"


def _samples(tree: AnswerTree, normalisation: Normalisation) -> SampledPaths:
    if tree.samples is None:
        raise MethodError(_NOT_DRAWN.format(name="sampling"))
    _agree("sampling", tree.samples, normalisation)
    return tree.samples


def _agree(name: str, draws: SampledPaths, normalisation: Normalisation) -> None:
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
    "counting; P1 mentions Monte Carlo",
    "the distinct nodes of the drawn answers",
    Requirements(tree=False, samples=SAMPLES),
    of_answer(sampling),
)
HAZARD = Estimator(
    "hazard",
    "mean compensator of drawn answers: what was likely at each step, not only what was drawn",
    "ours: martingale compensator",
    "those nodes, and a label trie at each step of theirs",
    Requirements(tree=False, samples=SAMPLES, next_labels=True),
    of_answer(hazard),
    normalisations=RAW_OR_MASKED,
    point="found",
)
COMBINED = Estimator(
    "sampling-combined",
    "counting and compensator, weighted for the least variance",
    "ours: control variate",
    "that of hazard",
    Requirements(tree=False, samples=SAMPLES, next_labels=True),
    of_answer(combined),
    normalisations=RAW_OR_MASKED,
    point="found",
)
ANY_PLACE_COMPLETED = Estimator(
    "any-place-completed",
    "a small tree, and an unbiased estimate of what it leaves open",
    "ours: compensator on the open mass",
    "the small tree, and the nodes and tries of the drawn paths",
    Requirements(tree=False, initial_nodes=INITIAL_NODES, completions=COMPLETIONS),
    of_answer(any_place_completed),
    normalisations=RAW_OR_MASKED,
    point="found",
)
