"""Checks that a tree read from a file hangs together, so that nothing that reads it can trip."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from labelmass.errors import LabelMassError

if TYPE_CHECKING:
    from labelmass.answers.tree import AnswerTree, SampledPaths

_SLACK = 0.01
"""Tolerance for row sums above 1, that of `lm.checks`."""


def check_tree(tree: AnswerTree) -> None:
    """LabelMassError naming the field that does not fit the others."""
    n, k = len(tree.parent), len(tree.labels)
    _require(n > 0, "parent", "holds no nodes")
    _require(k > 0 and len(set(tree.labels)) == k, "labels", "must be some, each once")
    _require(not tree.spellings or len(tree.spellings) == k, "spellings", "must be one a label")
    columns = {"token": tree.token, "logp": tree.logp, "outputs": tree.outputs}
    columns |= {"written": tree.written, "ahead": tree.reachable, "status": tree.status}
    for name, values in columns.items():
        _require(len(values) == n, name, f"must be one for each of the {n} nodes")
    _require(
        tree.parent[0] <= 0 and all(0 <= p < at for at, p in enumerate(tree.parent[1:], start=1)),
        "parent",
        "must come before the node",
    )
    _require(set(tree.status) <= {0, 1, 2}, "status", "must be 0, 1 or 2")
    _require(
        all(0 <= o < tree.width for out in tree.outputs for o in out), "outputs", "is no output"
    )
    for name, bits in (("written", tree.written), ("ahead", tree.reachable)):
        _require(all(0 <= b < 1 << tree.width for b in bits), name, "is no set of outputs")
    ids = (*tree.token, *(entry[0] for row in tree.top.values() for entry in row))
    _require(all(abs(token) < 1 << 31 for token in ids), "token", "is no token id")
    _check_nodes(tree, n, k)
    _check_rows(tree, n)
    for draws, name in ((tree.samples, "samples"), (tree.completions, "completions")):
        if draws is not None:
            _check_draws(draws, n, k, name)


def _check_nodes(tree: AnswerTree, n: int, k: int) -> None:
    nodes = range(n)
    for name in ("off", "tail", "after", "top", "stray_ends", "scale", "upcoming"):
        _check_among(getattr(tree, name), nodes, name)
    _check_among(tree.steps, nodes, "steps")
    _require(tree.steps[:1] == [0], "steps", "must begin with the root")
    _check_among([tree.common_prefix], nodes, "stem")
    _check_among((node for _, node in tree.completed), nodes, "completed")
    _require(all(0 <= out < tree.width for out, _ in tree.completed), "completed", "is no output")
    _check_among((entry[2] for row in tree.top.values() for entry in row), range(-1, n), "top")
    _check_among(tree.greedy, nodes, "greedy")
    path = tree.greedy
    joined = all(tree.parent[node] == before for before, node in pairwise(path))
    _require(path[:1] == [0] and joined, "greedy", "must be a path from the root")
    last = tree.parent[path[-1]] if len(path) > 1 else 0
    needed = [*path[:-1], *(tree.parent[node] for _, node in tree.completed), last]
    _require(
        len(path) < 2 or all(tree.top.get(node) for node in needed),
        "top",
        "must say what was likeliest on the greedy path",
    )


def _check_rows(tree: AnswerTree, n: int) -> None:
    expanded = {node for node, status in enumerate(tree.status) if status == 1}
    for name, rows in (("off", tree.off), ("tail", tree.tail)):
        _require(set(rows) == expanded, name, "must be of the expanded nodes")
    numbers = [*tree.off.values(), *tree.tail.values(), *tree.after.values()]
    _require(all(0 <= p <= 1 + _SLACK for p in numbers), "off", "is no probability")
    logs = np.array([*tree.logp, *(entry[1] for row in tree.top.values() for entry in row)])
    _require(bool((logs <= _SLACK).all()), "logp", "is no logarithm of a probability")
    _require(bool(np.isfinite(list(tree.scale.values())).all()), "scale", "must be finite")
    logp, parents = np.array(tree.logp[1:]), np.array(tree.parent[1:], dtype=np.int64)
    known = np.isin(parents, list(expanded))
    _require(bool((known | (logp == -np.inf)).all()), "logp", "is of a node whose row was not read")
    total = np.zeros(n)
    np.add.at(total, parents, np.exp(logp))
    for rows in (tree.off, tree.tail):
        total[list(rows)] += list(rows.values())
    _require(bool((total <= 1 + _SLACK).all()), "logp", "sums to more than 1 over a row")


def _check_draws(draws: SampledPaths, n: int, k: int, name: str) -> None:
    ends = (node for path in draws.paths for node in (path.start, path.end))
    _check_among((*ends, *draws.read), range(n), name)
    _require(len(draws.found) == k, f"{name}.found", "must be one a label")
    numbers = (draws.share, *draws.found)
    _require(all(0 <= p <= 1 + _SLACK for p in numbers), name, "is no probability")
    _require(all(0 < path.count < 1 << 31 for path in draws.paths), name, "counts no path")


def _check_among(numbers: Iterable[int], known: Collection[int], name: str) -> None:
    for number in numbers:
        _require(number in known, name, f"names a node {number}, which there is not")


def _require(holds: bool, name: str, otherwise: str) -> None:
    if not holds:
        raise LabelMassError(f"{name} {otherwise}")
