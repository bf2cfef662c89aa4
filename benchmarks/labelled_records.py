"""How many labelled records calibration and guarantees need, on simulated scores.

    python -m benchmarks.labelled_records

A record has the label with probability `prevalence`; its log-odds score is normal, one standard
deviation wide, with means that give the AUC asked for. `calibrate`: the scores are distorted (log-
odds times 2, plus 1), and the table shows the excess loss of calibrated scores over exact ones in
thousandths of a nat, on the whole population. `certify` and `control`: the share of draws in which
the guarantee is made, and how often it then fails.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from labelmass._math import log_loss
from labelmass._types import Floats
from labelmass.calibration import fit
from labelmass.decisions import certify, control
from labelmass.decisions.thresholds import Goal
from labelmass.errors import FitError

AUC = 0.9
POPULATION = 20_000
CURVES = ("temperature", "platt", "beta", "isotonic", "venn-abers")
SIZES = (25, 50, 100, 200, 400, 800, 1600)
GOALS = ("recall>=0.8", "recall>=0.9", "fpr<=0.05", "precision>=0.8")
CONTROL = "crc recall>=0.8"
"""Its guarantee is on average over draws, so that no single draw can fail to keep it."""

GUARANTEE_SIZES = (50, 100, 200, 400, 800, 1600, 3200)


class Simulated:
    """One label of records drawn at random."""

    def __init__(self, prevalence: float, seed: int) -> None:
        self.prevalence, self.draw = prevalence, np.random.default_rng(seed)
        self.apart = np.sqrt(2) * norm.ppf(AUC)

    def records(self, n: int) -> tuple[Floats, Floats]:
        """(n,) exact probabilities, and labels 0 or 1."""
        y = (self.draw.random(n) < self.prevalence).astype(float)
        x = self.draw.normal(self.apart * y, 1)
        return expit(self.apart * x - self.apart**2 / 2 + logit(self.prevalence)), y


def distorted(p: Floats) -> Floats:
    """The scores of a model that is too sure, and too generous."""
    return expit(2 * logit(p) + 1)


def calibration(prevalence: float, draws: int) -> dict[str, dict[int, tuple[float, float]]]:
    """Excess loss by method and size, mean over draws and its standard error; "raw" has none."""
    source = Simulated(prevalence, 1)
    exact, _ = source.records(POPULATION)
    scores = distorted(exact)[:, None]
    floor = float(log_loss(exact, exact).mean())

    def excess(p: Floats) -> float:
        return 1000 * (float(log_loss(p, exact).mean()) - floor)

    found = {"raw": dict.fromkeys(SIZES, (excess(scores[:, 0]), 0.0))}
    for size in SIZES:
        losses: dict[str, list[float]] = {method: [] for method in CURVES}
        while len(losses[CURVES[0]]) < draws:
            p, y = source.records(size)
            ids = [str(i) for i in range(size)]
            try:
                fits = {
                    method: fit(["x"], ids, distorted(p)[:, None], y[:, None], method=method)
                    for method in CURVES
                }
            except FitError:  # no positive at all: nothing is fitted
                continue
            for method, calibrator in fits.items():
                (mapped,) = calibrator.apply(["x"], scores)
                losses[method].append(excess(mapped[:, 0]))
        for method in CURVES:
            error = float(np.std(losses[method], ddof=1)) / np.sqrt(draws)
            found.setdefault(method, {})[size] = (float(np.mean(losses[method])), error)
    return found


def holds(goal: Goal, threshold: float, exact: Floats) -> bool:
    """Whether the population keeps the goal at a threshold."""
    flagged = exact >= threshold
    if goal.kind == "recall":
        return float(exact[flagged].sum() / exact.sum()) >= goal.level
    if goal.kind == "precision":
        return bool(flagged.any()) and float(exact[flagged].mean()) >= goal.level
    return float((1 - exact)[flagged].sum() / (1 - exact).sum()) <= goal.level


def guarantees(prevalence: float, draws: int) -> dict[str, dict[int, tuple[float, float]]]:
    """By goal and size: share of draws with a guarantee, and of these, those it fails in."""
    source = Simulated(prevalence, 2)
    exact, _ = source.records(POPULATION)
    found: dict[str, dict[int, tuple[float, float]]] = {}
    for size in GUARANTEE_SIZES:
        made: dict[str, list[bool]] = {}
        for _ in range(draws):
            p, y = (one[:, None] for one in source.records(size))
            for text in GOALS:
                (guarantee,) = certify(["x"], p, p, y, Goal.parse(text))
                if guarantee.threshold is not None:
                    kept = holds(Goal.parse(text), guarantee.threshold, exact)
                    made.setdefault(f"ltt {text}", []).append(kept)
            (guarantee,) = control(["x"], p, p, y, "miss-rate", 0.2)
            if guarantee.threshold is not None:
                made.setdefault(CONTROL, []).append(True)
        for name in [*(f"ltt {text}" for text in GOALS), CONTROL]:
            kept = made.get(name, [])
            fails = 1 - float(np.mean(kept)) if kept and name != CONTROL else float("nan")
            found.setdefault(name, {})[size] = (len(kept) / draws, fails)
    return found


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1%}"


def table(title: str, rows: dict[str, dict[int, str]]) -> None:
    """As Markdown."""
    sizes = list(next(iter(rows.values())))
    print(f"\n{title}\n\n| records | {' | '.join(map(str, sizes))} |")
    print(f"|---|{'---:|' * len(sizes)}")
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(cells[size] for size in sizes)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("labelled-records.json"))
    args = parser.parse_args()
    kept: dict[str, object] = {"draws": args.draws, "auc": AUC}
    for prevalence in (0.05, 0.2):
        losses = calibration(prevalence, args.draws)
        kept[f"calibration {prevalence}"] = losses
        rows = {
            name: {n: f"{mean:.1f} ± {error:.1f}" for n, (mean, error) in by.items()}
            for name, by in losses.items()
        }
        table(f"Excess loss, thousandths of a nat, prevalence {prevalence}", rows)
        made = guarantees(prevalence, args.draws)
        kept[f"guarantees {prevalence}"] = made
        shares = {name: {n: f"{x[0]:.0%}" for n, x in by.items()} for name, by in made.items()}
        table(f"Draws with a guarantee, prevalence {prevalence}", shares)
        fails = {name: {n: _share(x[1]) for n, x in by.items()} for name, by in made.items()}
        table(f"Of these, guarantees not kept, prevalence {prevalence}", fails)
    args.out.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
