"""Any causal language model of the transformers library, read tree by tree.

    model = TransformersModel.load("HuggingFaceTB/SmolLM2-135M-Instruct")

Importing this module imports torch.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from labelmass._canary import Canary
from labelmass.errors import ModelError
from labelmass.lm import sources
from labelmass.lm.attention import attention
from labelmass.lm.base import NextTokenLogprobs, NodeQuery, Tokenizer, Usage
from labelmass.lm.canary import read_canary
from labelmass.lm.forward import embeddings
from labelmass.lm.forward_modes import StrategyFactory, choose_mode, config_text
from labelmass.lm.hidden_states import HiddenStateReader, Pair

_LOG = logging.getLogger("labelmass")

DTYPES = ("float32", "bfloat16", "float16")

TOLERANCES = {"float64": 1e-5, "float32": 1e-4}
"""Largest error, in nats, of the log-probability of a likely token, by dtype."""

HALF_TOLERANCE = 0.05
"""That of the narrower ones, on one machine."""


class TransformersModel:
    """A `LanguageModel` over a transformers model and its tokenizer.

    `trained_for` is the hash of the task that labelmass trained it on, None if it did not.

    Where every layer is attention, whole trees are read in one pass (`engine` says
    'transformers/tree-attention'). Other models, and those for which a check at the start finds
    different numbers, are read with a full pass per node ('transformers/full-forward'), some of
    them only beyond a certain length ('transformers/tree-attention+full-forward'); `note` then
    says why.

    model: a causal language model on its device; kept as `network`.
    tokenizer: its tokenizer.
    name: what to call it in results.
    fingerprint: identity of its weights; computed from samples of them if not given.
    pass_tokens: most tokens of one pass; by default 512 on a CPU and 2048 elsewhere.
    max_slots: most tokens whose attention memory is kept; passing it is a ModelError.

    A pass shared by several records is on the account of the first that takes part, so that
    accounts add up to `usage`. Not safe for use by several threads at once.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Tokenizer,
        *,
        name: str,
        fingerprint: str | None = None,
        pass_tokens: int | None = None,
        max_slots: int | None = None,
    ) -> None:
        self.name, self.tokenizer = name, tokenizer
        self.trained_for: str | None = None
        self.network = model.eval()
        self.dtype = str(model.dtype).removeprefix("torch.")
        self.fingerprint = fingerprint or weights_fingerprint(model)
        table = embeddings(model)
        on_cpu = table.device.type == "cpu"
        size = len(tokenizer.token_bytes)
        tokens = pass_tokens or (512 if on_cpu else 2048)
        factory = StrategyFactory(model, size, pass_tokens=tokens, max_slots=max_slots)
        self._forward = factory.forward
        self.context = factory.architecture.context
        self._mode = choose_mode(factory, self.fingerprint, self.dtype)
        self.note = self._mode.note(model.config.model_type)
        self._strategy = factory.strategy(self._mode)
        self.engine = f"transformers/{self._strategy.name}"
        shares = self._mode.by_tree and factory.architecture.windows.size is None
        self._hidden = HiddenStateReader(self._forward, shares=shares, batches=self._mode.batches)
        self._embedded = len(table)
        self._records: dict[int, Any] = {}
        self._opened = 0
        self._closed = Usage()

    @classmethod
    def load(
        cls,
        source: str,
        *,
        device: str | None = None,
        dtype: str | None = None,
        revision: str | None = None,
        name: str | None = None,
        max_slots: int | None = None,
        say: Callable[[str], None] = _LOG.info,
    ) -> Self:
        """A model from a local folder, a .gguf file or a hub id; its code is never run.

        device: 'cpu', 'cuda', 'cuda:1' and so on; 'auto' spreads a large model over all there
            is; by default the first GPU, or else the CPU.
        dtype: one of float32, bfloat16, float16; by default float32 on a CPU and the model's
            own elsewhere.
        revision: branch, tag or commit of a hub id.
        say: gets a line for each step of a GGUF file's conversion, which is done once.

        Raises ModelError with what to do about it.
        """
        if dtype is not None and dtype not in DTYPES:
            raise ModelError(f"dtype {dtype!r} is none of {', '.join(DTYPES)}")
        if device is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
        _check_device(device)
        kind = dtype or ("float32" if device == "cpu" else "auto")
        result = sources.find(source, revision, say)
        model, tokenizer = sources.load(result, kind, device)
        return cls(
            model,
            tokenizer,
            name=name or result.name,
            fingerprint=result.fingerprint,
            max_slots=max_slots,
        )

    @property
    def usage(self) -> Usage:
        """Cost of all records, closed ones included."""
        accounts = [self._closed, *(record.usage for record in self._records.values())]
        return Usage(
            sum(u.prompt_tokens for u in accounts),
            sum(u.tree_tokens for u in accounts),
            sum(u.forward_passes for u in accounts),
        )

    @cached_property
    def canary(self) -> Canary:
        """What the model says to fixed texts, which is on nobody's account."""
        closed = replace(self._closed)
        try:
            return read_canary(self, TOLERANCES.get(self.dtype, HALF_TOLERANCE))
        finally:
            self._closed = closed

    def open(self, prompts: Sequence[Sequence[int]], shared: int = 0) -> list[int]:
        """Register prompts; nothing is computed before their first row is asked for."""
        if not all(len(ids) for ids in prompts):
            raise ModelError("an empty prompt has no row; give the model at least one token")
        self._check_ids(token for ids in prompts for token in ids)
        if shared and any(list(p[:shared]) != list(prompts[0][:shared]) for p in prompts):
            raise ValueError(f"the prompts do not share their first {shared} ids")
        handles = list(range(self._opened, self._opened + len(prompts)))
        self._opened += len(prompts)
        self._records.update(zip(handles, self._strategy.open(prompts, shared), strict=True))
        return handles

    def rows(self, queries: Sequence[NodeQuery]) -> list[NextTokenLogprobs]:
        """One row per query, in order."""
        if not queries:
            return []
        strategy: Any = self._strategy
        self._check_ids(query.token for query in queries)
        try:
            return strategy.rows([(self._records[query.record], query) for query in queries])
        except torch.OutOfMemoryError as error:
            raise ModelError(
                f"out of memory on {self._forward.device}: score fewer records at once, "
                "or use a smaller model or dtype"
            ) from error

    def close(self, record: int) -> Usage:
        strategy: Any = self._strategy
        usage: Usage = strategy.close(self._records.pop(record))
        self._closed.prompt_tokens += usage.prompt_tokens
        self._closed.tree_tokens += usage.tree_tokens
        self._closed.forward_passes += usage.forward_passes
        return usage

    def attention(self, prompt: Sequence[int], answer: Sequence[int]) -> NDArray[np.float64]:
        """Attention of the positions of an answer, see `lm.attention`."""
        return attention(self._forward, prompt, answer, at_once=not self._mode.by_tree)

    def hidden(self, pairs: Sequence[Pair], layer: int = -1) -> list[NDArray[np.float32]]:
        """States after every token of some answers, see `lm.hidden`."""
        self._check_ids(token for pair in pairs for ids in pair for token in ids)
        return self._hidden(pairs, layer)

    def _check_ids(self, ids: Iterable[int]) -> None:
        """ModelError for an id without an embedding, which would bring a GPU to a halt for good."""
        highest = max(ids, default=-1)
        if highest >= self._embedded:
            raise ModelError(
                f"token {highest} has no row among the model's {self._embedded} embeddings: its "
                "tokenizer has more tokens than the model"
            )


def weights_fingerprint(model: Any) -> str:
    """12 hex digits from the configuration and from values sampled across every weight."""
    digest = hashlib.sha256(config_text(model.config).encode())
    for name, weight in model.named_parameters():
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        if weight.device.type != "meta" and weight.numel():
            flat = weight.detach().reshape(-1)
            sample = flat[:: max(1, flat.numel() // 64)]
            digest.update(sample.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


def _check_device(device: str) -> None:
    """ModelError if it is no name of a device, or of one that is not there."""
    if device == "auto":
        return
    try:
        torch.empty(1, device=torch.device(device))
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ModelError(
            f"device {device!r} is not there: take cpu, or one that torch has here (cuda, cuda:1, "
            "mps), or auto"
        ) from None
