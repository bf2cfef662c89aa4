"""From what each annotator chose to one answer and to shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

Votes = Sequence[Sequence[str]]
"""The labels each annotator chose, none of them twice."""


def in_order(chosen: Iterable[str], order: Sequence[str]) -> list[str]:
    """The chosen labels, each once, in the order of the label set."""
    results = set(chosen)
    return [label for label in order if label in results]


def shares(votes: Votes, order: Sequence[str]) -> dict[str, float]:
    """The share of annotators that chose each label, to four decimals; 0 is left out."""
    counts = {label: sum(label in vote for vote in votes) for label in order}
    return {label: round(n / len(votes), 4) for label, n in counts.items() if n}


def chosen_by(least: int) -> Callable[[Votes, Sequence[str]], list[str]]:
    """The labels at least this many annotators chose."""

    def rule(votes: Votes, order: Sequence[str]) -> list[str]:
        return [label for label in order if sum(label in vote for vote in votes) >= least]

    return rule


def majority(votes: Votes, order: Sequence[str]) -> list[str]:
    """The labels more than half of the annotators chose."""
    return chosen_by(len(votes) // 2 + 1)(votes, order)
