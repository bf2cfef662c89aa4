"""Any causal language model of the transformers library, read tree by tree.

    model = TransformersModel.load("HuggingFaceTB/SmolLM2-135M-Instruct")

Importing this module imports torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from labelmass.errors import ModelError
from labelmass.lm import sources
from labelmass.lm.architecture import Architecture, inspect
from labelmass.lm.attention import attention
from labelmass.lm.base import PROMPT, Ask, Row, Tokenizer, Usage
from labelmass.lm.forward import Forward
from labelmass.lm.full_forward import FullForward
from labelmass.lm.hidden import Hidden, Pair
from labelmass.lm.masked import Masked
from labelmass.lm.split import Split, fits
from labelmass.lm.tree_attention import Attention, TreeAttention

DTYPES = ("float32", "bfloat16", "float16")


class TransformersModel:
    """A `LanguageModel` over a transformers model and its tokenizer.

    `trained_for` is the hash of the task that labelmass trained it on, None if it did not.

    Where every layer is attention, whole trees are read in one pass (`engine` says
    'transformers/tree-attention'). Other models, and those for which a short check at the start
    finds different numbers, are read with a full pass per node ('transformers/full-forward');
    `note` then says why.

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
        self._forward = Forward(model)
        on_cpu = self._forward.device.type == "cpu"
        self._pass_tokens = pass_tokens or (512 if on_cpu else 2048)
        self._max_slots = max_slots
        architecture = inspect(model)
        self.context = architecture.context
        self._strategy, self.note = self._choose(architecture)
        self.engine = f"transformers/{self._strategy.name}"
        plain = self.note is None and architecture.windows.size is None
        self._hidden = Hidden(self._forward, shares=plain)
        self._embedded = int(model.get_input_embeddings().weight.shape[0])
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
    ) -> Self:
        """A model from a local folder, a .gguf file or a hub id; its code is never run.

        device: 'cpu', 'cuda', 'cuda:1' and so on; 'auto' spreads a large model over all there
            is; by default the first GPU, or else the CPU.
        dtype: one of float32, bfloat16, float16; by default float32 on a CPU and the model's
            own elsewhere.
        revision: branch, tag or commit of a hub id.

        Raises ModelError with what to do about it.
        """
        if dtype is not None and dtype not in DTYPES:
            raise ModelError(f"dtype {dtype!r} is none of {', '.join(DTYPES)}")
        if device is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ModelError(f"device {device!r} is not there; use device = 'cpu'")
        kind = dtype or ("float32" if device == "cpu" else "auto")
        found = sources.find(source, revision)
        model, tokenizer = sources.load(found, kind, device)
        return cls(
            model,
            tokenizer,
            name=name or found.name,
            fingerprint=found.fingerprint,
            max_slots=max_slots,
        )

    @property
    def usage(self) -> Usage:
        """What all records cost, closed ones included."""
        accounts = [self._closed, *(record.usage for record in self._records.values())]
        return Usage(
            sum(u.prompt_tokens for u in accounts),
            sum(u.tree_tokens for u in accounts),
            sum(u.forward_passes for u in accounts),
        )

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

    def rows(self, asks: Sequence[Ask]) -> list[Row]:
        """One row per ask, in order."""
        if not asks:
            return []
        strategy: Any = self._strategy
        self._check_ids(ask.token for ask in asks)
        try:
            return strategy.rows([(self._records[ask.record], ask) for ask in asks])
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
        """What the positions of an answer attend to, see `lm.attention`."""
        return attention(self._forward, prompt, answer)

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

    def _choose(self, architecture: Architecture) -> tuple[TreeAttention | FullForward, str | None]:
        """The quickest way of reading that gives the numbers of full passes."""
        forward, size = self._forward, len(self.tokenizer.token_bytes)
        full = FullForward(forward, size, pass_tokens=self._pass_tokens)
        reason = architecture.obstacle
        ways: list[Callable[[], Attention]] = []
        if reason is None:
            ways = [partial(Masked, forward, architecture.windows)]
            if fits(forward, architecture.windows):
                ways.insert(0, partial(Split, forward))

        def tree(way: Callable[[], Attention]) -> TreeAttention:
            tokens, slots = self._pass_tokens, self._max_slots
            return TreeAttention(way(), size, pass_tokens=tokens, max_slots=slots)

        for way in ways:
            reason = disagreement(tree(way), full, size, self.dtype)
            if reason is None:
                return tree(way), None
        kind = self.network.config.model_type
        return full, f"{kind} is read with one full pass per node, which is slow: {reason}"


def disagreement(tree: TreeAttention, full: FullForward, size: int, dtype: str) -> str | None:
    """Whether two ways of reading differ on a tiny tree: in words if they do, else None.

    Compares the likeliest tokens after a child of one of two siblings, and after the other.
    """
    tokens = [1 + (i * size) // 8 for i in range(7)] if size > 8 else [0] * 7
    prompt, (a, b, c) = tokens[:4], tokens[4:]
    ids = np.arange(size)
    parents = ((PROMPT, PROMPT, -1), (1, PROMPT, a), (2, PROMPT, b), (3, 1, c))
    asks = [Ask(0, node, parent, token, ids) for node, parent, token in parents]
    try:
        (record,) = tree.open([prompt], 2)
        quick = tree.rows([(record, ask) for ask in asks])[2:]
    except Exception as error:
        return f"it does not take a mask and positions of our own ({error})"
    (longhand,) = full.open([prompt], 0)
    for ask in asks[1:]:
        longhand.paths[ask.node] = (*longhand.paths[ask.parent], ask.token)
    try:
        slow = full.rows([(longhand, ask) for ask in asks[2:]])
    except ModelError as error:
        return str(error)
    worst = 0.0
    for one, other in zip(quick, slow, strict=True):
        best = np.argsort(-other.logprobs)[:16]
        worst = max(worst, float(np.abs(one.logprobs[best] - other.logprobs[best]).max()))
    # NaN compares false, and is a disagreement
    if worst <= (1e-3 if dtype == "float32" else 0.1):
        return None
    return f"its trees differ from full passes by {worst:.2g} nats"


def weights_fingerprint(model: Any) -> str:
    """12 hex digits from the configuration and from values sampled across every weight."""
    config: dict[str, Any] = model.config.to_dict()
    for key in ("_name_or_path", "transformers_version", "dtype"):
        config.pop(key, None)
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name, weight in model.named_parameters():
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        if weight.device.type != "meta" and weight.numel():
            flat = weight.detach().reshape(-1)
            sample = flat[:: max(1, flat.numel() // 64)]
            digest.update(sample.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:12]
