"""Every causal architecture of the installed transformers gives the numbers of full passes.

All of them in `make check-long`; otherwise a tenth, always the same.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from helpers.property_tests import LONG
from labelmass._types import Normalisation
from labelmass.answers.marginals import Marginals
from labelmass.answers.search import Budget
from labelmass.answers.tree import Status
from labelmass.errors import ModelError
from labelmass.lm import forward_modes
from labelmass.lm.base import PROMPT, NextTokenLogprobs, NodeQuery, Usage
from labelmass.lm.critical_lengths import critical_lengths
from labelmass.lm.transformers import TransformersModel
from labelmass.scoring.explorer import ExploredRecord, Explorer
from labelmass.task import Record, Task
from lm import every_architecture as every
from lm.full_passes import queries_of

ALWAYS = {"phi3:longrope", "llama:dynamic", "gpt_neo", "gpt_oss"}
"""Those that were once read wrongly, or read otherwise in several ways."""
OTHERS = sorted(set(every.names()) - ALWAYS)
TENTH = ALWAYS.union(random.Random(10).sample(OTHERS, len(every.names()) // 10 - len(ALWAYS)))
NAMES = [name for name in every.names() if LONG or name in TENTH]

WORDS = ["joy", ", ", "fear", "jo", "none", "\n\n", "\n"]
TEXTS = ["We won.", "A long way from home " * 5]
TASK = """
name = "mood"
labels = ["joy", "fear", "joyful"]
instruction = "Moods?"
format = "comma"
chat = false
"""
STATELESS = {"blt"}
"""Without hidden states, one for each token."""

NODES = {1: (0, 5), 2: (0, 9), 3: (2, 11), 4: (3, 5), 5: (1, 88)}

pytestmark = pytest.mark.long


def test_all_architectures_are_there() -> None:
    assert len(every.NOT_BUILT) == 3 and len(every.REFUSED) == 3
    assert every.NOT_BUILT.keys() <= every.CLASSES.keys()
    assert every.REFUSED.keys() <= set(every.names())
    assert len(every.names()) == len(every.CLASSES) + len(every.VARIANTS) - len(every.NOT_BUILT)


@dataclass
class TinyModel:
    """pristine: the network before anything was asked."""

    name: str
    pristine: Any
    tokenizer: Any

    @classmethod
    def of(cls, name: str) -> TinyModel:
        network = every.network(name)
        rows = network.get_input_embeddings().weight.shape[0]
        return cls(name, network, every.ByteTokenizer(WORDS[: rows - 259]))

    @property
    def vocabulary(self) -> int:
        return len(self.tokenizer.token_bytes)

    def model(self, pass_tokens: int = 64) -> TransformersModel:
        network: Any = copy.deepcopy(self.pristine)
        return TransformersModel(network, self.tokenizer, name=self.name, pass_tokens=pass_tokens)

    def row(self, ids: Sequence[int]) -> np.ndarray[Any, Any]:
        return every.row_after(self.pristine, ids, self.vocabulary)


@pytest.fixture(scope="module", params=[n for n in NAMES if n not in every.REFUSED])
def tiny(request: pytest.FixtureRequest) -> TinyModel:
    return TinyModel.of(request.param)


@pytest.mark.parametrize("name", [name for name in NAMES if name in every.REFUSED])
def test_what_cannot_be_asked_is_refused(name: str) -> None:
    tokenizer: Any = every.ByteTokenizer(WORDS)
    with pytest.raises(ModelError, match=name):
        TransformersModel(every.network(name), tokenizer, name=name)


def test_rows_equal_full_passes(tiny: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of mixed length, some of which walk over each number of the configuration.

    Numbers are judged by the model's own weights, and those beyond 16 by a small copy, too.
    """
    numbers = critical_lengths(tiny.pristine.config.to_dict())
    for near in (256, 16) if any(number > 16 for number in numbers) else (256,):
        monkeypatch.setattr(forward_modes, "MAX_ON_WEIGHTS", near)
        check_rows(tiny, numbers)


def check_rows(tiny: TinyModel, numbers: Sequence[int]) -> None:
    model = tiny.model()
    draw = np.random.default_rng(3)
    head = draw.integers(3, tiny.vocabulary, 10).tolist()
    lengths = [11, 14, 13 + max(numbers, default=0), *(max(n - 2, 11) for n in numbers)]
    prompts = [head + draw.integers(3, tiny.vocabulary, n - 10).tolist() for n in lengths]
    ids = np.arange(tiny.vocabulary)
    groups = [queries_of(handle, NODES, ids) for handle in model.open(prompts, 8)]
    rows = model.rows([query for queries in groups for query in queries])
    for prompt, queries in zip(prompts, groups, strict=True):
        path: dict[int, list[int]] = {PROMPT: prompt}
        for query in queries:
            if query.node != PROMPT:
                path[query.node] = [*path[query.parent], query.token]
            want = tiny.row(path[query.node])
            likely = want > -15
            got = rows.pop(0).logprobs
            assert np.abs(got - want)[likely].max() < 1e-4, model.note
    assert not rows


def test_hidden_states_equal_full_passes(tiny: TinyModel) -> None:
    model = tiny.model()
    draw = np.random.default_rng(4)
    pairs = [
        (draw.integers(3, tiny.vocabulary, m).tolist(), draw.integers(3, tiny.vocabulary, n))
        for m, n in ((7, 5), (70, 2), (46, 4))
    ]
    asked = [(prompt, answer.tolist()) for prompt, answer in pairs]
    if tiny.name in STATELESS:
        with pytest.raises(ModelError, match="does not"):
            model.hidden(asked)
        return
    found = model.hidden(asked)
    for (prompt, answer), rows in zip(pairs, found, strict=True):
        want = _states(tiny.pristine, [*prompt, *answer.tolist()])[len(prompt) - 1 :]
        assert np.abs(rows - want).max() < 1e-4 * max(1.0, np.abs(want).max())


def _states(pristine: Any, ids: Sequence[int]) -> np.ndarray[Any, Any]:
    network = copy.deepcopy(pristine)
    inner = network.base_model if network.base_model is not network else network.model
    with torch.inference_mode():
        output = inner(input_ids=torch.tensor([list(ids)]), use_cache=False)
    return output.last_hidden_state[0].numpy()


class SlowReference:
    """One full pass over prompt and path for every row, by a network that was asked nothing."""

    engine, dtype, context, fingerprint = "naive", "float32", None, "naive"

    def __init__(self, tiny: TinyModel) -> None:
        self._tiny, self.name, self.tokenizer = tiny, tiny.name, tiny.tokenizer
        self._paths: list[dict[int, list[int]]] = []

    def open(self, prompts: Sequence[Sequence[int]], shared: int = 0) -> list[int]:
        first = len(self._paths)
        self._paths += [{PROMPT: list(ids)} for ids in prompts]
        return list(range(first, len(self._paths)))

    def rows(self, queries: Sequence[NodeQuery]) -> list[NextTokenLogprobs]:
        return [self._row(query) for query in queries]

    def close(self, record: int) -> Usage:
        return Usage()

    def _row(self, query: NodeQuery) -> NextTokenLogprobs:
        paths = self._paths[query.record]
        if query.node != PROMPT:
            paths[query.node] = [*paths[query.parent], query.token]
        row = self._tiny.row(paths[query.node])
        asked, best = row[query.ids], np.argsort(-row)[: query.top]
        top = tuple((int(index), float(row[index])) for index in best)
        return NextTokenLogprobs(asked, top, max(1 - float(np.exp(asked).sum()), 0.0))


def _explored(model: Any, nodes: int) -> list[ExploredRecord]:
    budget = Budget(tolerance=1e-4, max_nodes=nodes)
    explorer = Explorer(
        model, Task.from_toml(TASK), budget=budget, normalisation=Normalisation.ON_FORMAT
    )
    records = [Record(place, text=text) for place, text in enumerate(TEXTS)]
    found: dict[int, Any] = {key: one for key, _, one in explorer.explore(enumerate(records))}
    return [found[key] for key in sorted(found)]


def test_probabilities_lie_within_the_intervals(tiny: TinyModel) -> None:
    quick = _explored(tiny.model(), 6)
    slow = _explored(SlowReference(tiny), 12)
    for one, other in zip(quick, slow, strict=True):
        ours, theirs = _masses(one), _masses(other)
        common = ours.keys() & theirs.keys()
        assert len(common) >= 2
        assert all(abs(ours[path] - theirs[path]) < 1e-4 for path in common)
        for normalisation in (Normalisation.RAW, Normalisation.ON_FORMAT):
            low, high = Marginals(one.tree, normalisation).intervals
            least, most = Marginals(other.tree, normalisation).intervals
            assert not (low > most + 1e-4).any() and not (least > high + 1e-4).any()


def _masses(one: ExploredRecord) -> dict[tuple[int, ...], float]:
    """Log-probability of every expanded prefix, by its tokens."""
    tree, mass = one.tree, one.tree.log_mass()
    return {
        tuple(tree.token[n] for n in tree.path(node)): float(mass[node])
        for node in range(len(tree))
        if tree.status[node] == Status.EXPANDED
    }
