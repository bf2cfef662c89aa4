"""Every metric again in plain Python: lists of rows, None for an unknown cell, loops and math.

P, H, Y, S: probabilities, shares, gold and label sets (0 or 1), a list of lists each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

Rows = list[list[float]]
Known = list[list[float | None]]
EPS = 1e-8
BINS = 15


def cells(target: Known) -> Iterator[tuple[int, int, float]]:
    for i, row in enumerate(target):
        for j, value in enumerate(row):
            if value is not None:
                yield i, j, value


def mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def bernoulli(p: float, h: float) -> float:
    p = min(max(p, EPS), 1 - EPS)
    return -h * math.log(p) - (1 - h) * math.log(1 - p)


def choice(p: float, h: float) -> float:
    return -h * math.log(min(max(p, EPS), 1 - EPS))


def kl(a: float, b: float) -> float:
    return sum(x * math.log2(x / y) for x, y in ((a, b), (1 - a, 1 - b)) if x > 0)


def jensen_shannon(p: float, h: float) -> float:
    middle = (p + h) / 2
    return kl(p, middle) / 2 + kl(h, middle) / 2


def bits(p: float) -> float:
    return -sum(x * math.log2(x) for x in (p, 1 - p) if x > 0)


def by_item(P: Rows, target: Known) -> list[list[tuple[int, float, float]]]:
    """The known cells of each item that has one: label, p, target."""
    rows = []
    for i, row in enumerate(target):
        found = [(j, P[i][j], value) for j, value in enumerate(row) if value is not None]
        if found:
            rows.append(found)
    return rows


def per_item(loss: Callable[[float, float], float], P: Rows, H: Known) -> float | None:
    return mean([sum(loss(p, h) for _, p, h in row) for row in by_item(P, H)])


def per_cell(loss: Callable[[float, float], float], P: Rows, H: Known) -> float | None:
    return mean([loss(P[i][j], h) for i, j, h in cells(H)])


def column(P: Rows, target: Known, label: int) -> list[tuple[float, float]]:
    return [(P[i][j], value) for i, j, value in cells(target) if j == label]


def over_labels(
    metric: Callable[[list[tuple[float, float]]], float | None], P: Rows, target: Known
) -> float | None:
    values = [metric(column(P, target, label)) for label in range(len(P[0]))]
    return mean([value for value in values if value is not None])


def pearson(pairs: list[tuple[float, float]]) -> float | None:
    if not pairs:
        return None
    xs, ys = [bits(p) for p, _ in pairs], [bits(h) for _, h in pairs]
    mx, my = math.fsum(xs) / len(xs), math.fsum(ys) / len(ys)
    vx = math.fsum((x - mx) ** 2 for x in xs) / len(xs)
    vy = math.fsum((y - my) ** 2 for y in ys) / len(ys)
    if vx <= 1e-12 or vy <= 1e-12:
        return None
    cov = math.fsum((x - mx) * (y - my) for x, y in zip(xs, ys, strict=True)) / len(xs)
    return cov / math.sqrt(vx * vy)


def wide(values: list[float]) -> list[int]:
    return [min(int(p * BINS), BINS - 1) for p in values]


def full(values: list[float]) -> list[int]:
    """By the middle of the ranks that equal values take."""
    bins = []
    for p in values:
        below = sum(q < p for q in values)
        equal = sum(q == p for q in values)
        bins.append(int((below + (equal - 1) / 2) / len(values) * BINS))
    return bins


def calibration(
    pairs: list[tuple[float, float]], bins: Callable[[list[float]], list[int]]
) -> float | None:
    if not pairs:
        return None
    places = bins([p for p, _ in pairs])
    error = 0.0
    for one in set(places):
        inside = [pair for place, pair in zip(places, pairs, strict=True) if place == one]
        gap = mean([p for p, _ in inside]) - mean([h for _, h in inside])
        error += len(inside) / len(pairs) * abs(gap)
    return error


def brier_parts(P: Rows, H: Known) -> dict[str, float | None]:
    pairs = [(P[i][j], h) for i, j, h in cells(H)]
    if not pairs:
        return dict.fromkeys(("reliability", "resolution", "uncertainty", "within"))
    places = wide([p for p, _ in pairs])
    n, overall = len(pairs), mean([h for _, h in pairs])
    reliability = resolution = within = 0.0
    for one in set(places):
        inside = [pair for place, pair in zip(places, pairs, strict=True) if place == one]
        mp, mh = mean([p for p, _ in inside]), mean([h for _, h in inside])
        reliability += len(inside) / n * (mp - mh) ** 2
        resolution += len(inside) / n * (mh - overall) ** 2
        within += sum((p - mp) ** 2 - 2 * (p - mp) * (h - mh) for p, h in inside) / n
    uncertainty = sum((h - overall) ** 2 for _, h in pairs) / n
    return {
        "reliability": reliability,
        "resolution": resolution,
        "uncertainty": uncertainty,
        "within": within,
    }


def counts(found: list[tuple[float, float]]) -> tuple[int, int, int]:
    both = sum(s > 0 and y > 0 for s, y in found)
    return both, sum(s > 0 and y == 0 for s, y in found), sum(s == 0 and y > 0 for s, y in found)


def f1(found: list[tuple[float, float]], empty: float = 0.0) -> float | None:
    both, chosen, gold = counts(found)
    total = 2 * both + chosen + gold
    return (2 * both / total if total else empty) if found else None


def precision(found: list[tuple[float, float]]) -> float | None:
    both, chosen, _ = counts(found)
    return (both / (both + chosen) if both + chosen else 0.0) if found else None


def recall(found: list[tuple[float, float]]) -> float | None:
    both, _, gold = counts(found)
    return (both / (both + gold) if both + gold else 0.0) if found else None


def iou(found: list[tuple[float, float]]) -> float:
    both, chosen, gold = counts(found)
    total = both + chosen + gold
    return both / total if total else 1.0


def auc(found: list[tuple[float, float]]) -> float | None:
    up, down = [p for p, y in found if y > 0], [p for p, y in found if y == 0]
    if not up or not down:
        return None
    wins = sum((p > q) + (p == q) / 2 for p in up for q in down)
    return wins / (len(up) * len(down))


def average_precision(found: list[tuple[float, float]]) -> float | None:
    up = [p for p, y in found if y > 0]
    if not up or len(up) == len(found):
        return None
    total = 0.0
    for p in up:
        chosen = [y for q, y in found if q >= p]
        total += sum(chosen) / len(chosen)
    return total / len(up)


def pooled(P: Rows, target: Known) -> list[tuple[float, float]]:
    return [(P[i][j], value) for i, j, value in cells(target)]


def two_class(Y: Known) -> list[int]:
    k = len(Y[0])
    classes = [{y for _, j, y in cells(Y) if j == label} for label in range(k)]
    return [label for label in range(k) if len(classes[label]) == 2]


def only(rows: Rows | Known, labels: list[int]) -> Rows | Known:
    return [[row[j] for j in labels] for row in rows]


def sets_of(S: Rows, Y: Known) -> list[list[tuple[float, float]]]:
    return [[(s, y) for _, s, y in row] for row in by_item(S, Y)]


def slow(name: str, P: Rows, H: Known, Y: Known, S: Rows) -> float | None:
    """The metric of this name."""
    if name.startswith("brier-"):
        return brier_parts(P, H)[name.removeprefix("brier-")]
    return SLOW[name](P, H, Y, S)


def _soft_f1(P: Rows, H: Known) -> float | None:
    pairs = pooled(P, H)
    total = math.fsum(p + h for p, h in pairs)
    both = math.fsum(min(p, h) for p, h in pairs)
    return (2 * both / total if total else 0.0) if pairs else None


def _two_class_pairs(P: Rows, Y: Known) -> list[tuple[float, float]]:
    labels = two_class(Y)
    return pooled(only(P, labels), only(Y, labels))


def absolute(p: float, h: float) -> float:
    return abs(p - h)


SLOW: dict[str, Callable[[Rows, Known, Known, Rows], float | None]] = {
    "nll": lambda P, H, Y, S: per_item(bernoulli, P, H),
    "nll-cell": lambda P, H, Y, S: per_cell(bernoulli, P, H),
    "nll-single": lambda P, H, Y, S: per_item(choice, P, H),
    "l1": lambda P, H, Y, S: per_item(absolute, P, H),
    "l1-cell": lambda P, H, Y, S: per_cell(absolute, P, H),
    "manhattan": lambda P, H, Y, S: mean(
        [mean([abs(p - h) for _, p, h in row]) for row in by_item(P, H)]
    ),
    "brier": lambda P, H, Y, S: per_cell(lambda p, h: (p - h) ** 2, P, H),
    "jsd": lambda P, H, Y, S: per_cell(jensen_shannon, P, H),
    "soft-f1": lambda P, H, Y, S: _soft_f1(P, H),
    "soft-accuracy": lambda P, H, Y, S: per_item(min, P, H),
    "entropy-correlation": lambda P, H, Y, S: over_labels(pearson, P, H),
    "ece": lambda P, H, Y, S: over_labels(lambda c: calibration(c, wide), P, H),
    "ace": lambda P, H, Y, S: over_labels(lambda c: calibration(c, full), P, H),
    "ece-pooled": lambda P, H, Y, S: calibration(pooled(P, H), wide),
    "ace-pooled": lambda P, H, Y, S: calibration(pooled(P, H), full),
    "example-f1": lambda P, H, Y, S: mean([f1(row, 1.0) for row in sets_of(S, Y)]),
    "jaccard": lambda P, H, Y, S: mean([iou(row) for row in sets_of(S, Y)]),
    "hamming": lambda P, H, Y, S: mean([float(s != y) for s, y in pooled(S, Y)]),
    "subset-accuracy": lambda P, H, Y, S: mean(
        [float(all(s == y for s, y in row)) for row in sets_of(S, Y)]
    ),
    "micro-f1": lambda P, H, Y, S: f1(pooled(S, Y)),
    "micro-precision": lambda P, H, Y, S: precision(pooled(S, Y)),
    "micro-recall": lambda P, H, Y, S: recall(pooled(S, Y)),
    "macro-f1": lambda P, H, Y, S: over_labels(f1, S, Y),
    "macro-precision": lambda P, H, Y, S: over_labels(precision, S, Y),
    "macro-recall": lambda P, H, Y, S: over_labels(recall, S, Y),
    "auc": lambda P, H, Y, S: over_labels(auc, P, Y),
    "auc-micro": lambda P, H, Y, S: auc(pooled(P, Y)),
    "auc-micro-two-class": lambda P, H, Y, S: auc(_two_class_pairs(P, Y)),
    "ap": lambda P, H, Y, S: over_labels(average_precision, P, Y),
    "ap-micro": lambda P, H, Y, S: average_precision(pooled(P, Y)),
    "ap-micro-two-class": lambda P, H, Y, S: average_precision(_two_class_pairs(P, Y)),
}
