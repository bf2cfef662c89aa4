"""Formulas that several rooms need, once: log-odds, log-loss, intervals of a share."""

from __future__ import annotations

import numpy as np

from labelmass._types import Floats

EPS = 1e-8
"""Probabilities are kept this far from 0 and 1 before a logarithm is taken."""

EDGE = 1e-6
"""The same, before log-odds are taken: they are added up, and must not outweigh all others."""

Z = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


def log_odds(p: Floats) -> Floats:
    """ln(p / (1 - p)), p within EDGE of the ends."""
    p = np.clip(p, EDGE, 1 - EDGE)
    return np.log(p) - np.log1p(-p)


def expit(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), the inverse of `log_odds`."""
    return 1 / (1 + np.exp(-x))


def log_loss(p: Floats, target: Floats) -> Floats:
    """-[t ln p + (1 - t) ln(1 - p)] in nats, cell by cell, p within EPS of the ends."""
    p = np.clip(p, EPS, 1 - EPS)
    return -(target * np.log(p) + (1 - target) * np.log1p(-p))


def wilson(count: Floats, n: float, z: float = Z) -> tuple[Floats, Floats]:
    """The score interval of count / n, of 95 % with this z. Source: Wilson 1927."""
    middle = (count + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(count * (n - count) / n + z**2 / 4)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)
