"""Ways of reading a model, and the quickest of them whose numbers are those of full passes.

Two checks decide (`SelfCheck`): one on the model's own weights, with short records, and one on a
small random copy in which the large numbers of the configuration are small, so that records beyond
them are short, too. What they find is remembered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any, get_args

import torch

from labelmass.errors import ModelError
from labelmass.lm import remembered
from labelmass.lm.architecture import Architecture, inspect
from labelmass.lm.forward import Forward, embeddings
from labelmass.lm.full_forward import Batches, FullForward
from labelmass.lm.masked import Masked
from labelmass.lm.self_check import SelfCheck
from labelmass.lm.small_copy import small_copy, smaller
from labelmass.lm.split import Split, fits
from labelmass.lm.tree_attention import Attention, TreeAttention
from labelmass.lm.up_to import UpTo

NEAR = 256
"""Numbers up to this are checked on the model's own weights, too."""

WORTH = 32
"""Tokens that sequences must be allowed to have, for reading them by tree to be of any use."""

TOLERANCE = {"float32": 1e-3}
"""Nats by which rows of the model's own weights may differ, by dtype; others are `COARSE`."""

COARSE = 1.0
"""In half precision likely tokens differ by a third of a nat from nothing but rounding."""

TOLERANCE_OF_COPY = 1e-4
"""Nats by which rows of a small copy may differ; it is in float32."""

Strategy = TreeAttention | UpTo | FullForward


@dataclass(frozen=True, slots=True)
class Way:
    """How a model is read.

    attention: of trees: 'split' or 'masked'; None if there are none, and each node is a full pass.
    limit: tokens up to which sequences are read by tree; None if all are.
    batches: which sequences may share a full pass.
    reason: why trees are not used, or not for all, in a few words.
    """

    attention: str | None
    limit: int | None = None
    batches: Batches = "mixed"
    reason: str | None = None

    @property
    def plain(self) -> bool:
        """Whether every sequence is read by tree."""
        return self.attention is not None and self.limit is None

    def note(self, kind: str) -> str | None:
        """What a user should know of it: what is slow, and why."""
        if self.plain:
            return None
        slow = f"one full pass per node, which is slow: {self.reason}"
        if self.attention is None:
            return f"{kind} is read with {slow}"
        return f"{kind} is read beyond {self.limit} tokens with {slow}"


class Reader:
    """Makes strategies for one network.

    vocabulary: ids the tokenizer knows.
    pass_tokens, max_slots: as for `TreeAttention`.
    full_tokens: of one full pass; by default `pass_tokens`.
    """

    def __init__(
        self,
        network: Any,
        vocabulary: int,
        *,
        pass_tokens: int,
        max_slots: int | None = None,
        full_tokens: int | None = None,
        architecture: Architecture | None = None,
    ) -> None:
        self.forward = Forward(network)
        self.architecture = architecture or inspect(network)
        self.pass_tokens, self._full_tokens = pass_tokens, full_tokens or pass_tokens
        self._vocabulary, self._max_slots = vocabulary, max_slots
        windows = self.architecture.windows
        self._attentions: dict[str, Callable[[], Attention]] = {
            "masked": partial(Masked, self.forward, windows)
        }
        if fits(self.forward, windows):
            self._attentions = {"split": partial(Split, self.forward), **self._attentions}

    def strategy(self, way: Way) -> Strategy:
        """A fresh one, with no records open."""
        full = FullForward(
            self.forward, self._vocabulary, pass_tokens=self._full_tokens, batches=way.batches
        )
        if way.attention is None:
            return full
        tree = TreeAttention(
            self._attentions[way.attention](),
            self._vocabulary,
            pass_tokens=self.pass_tokens,
            max_slots=self._max_slots,
        )
        return tree if way.limit is None else UpTo(way.limit, tree, full)

    def ways(self, batches: Batches) -> Iterator[Way]:
        """Ways with trees, the quickest first."""
        limits = [n for n in reversed(self.architecture.numbers) if n >= WORTH]
        for limit in (None, *limits):
            for attention in self._attentions:
                yield Way(attention, limit, batches)


class Checks:
    """What the checks of one network say of ways of reading it; run when first needed."""

    def __init__(self, reader: Reader, network: Any, vocabulary: int, dtype: str) -> None:
        self._network = network
        config = network.config
        numbers = reader.architecture.numbers
        room = reader.architecture.context
        near = [n for n in numbers if n <= NEAR and (room is None or n + 24 < room)]
        size = min(vocabulary, len(embeddings(network)))
        tolerance = TOLERANCE.get(dtype, COARSE)
        self._check = SelfCheck(reader.forward, size, near, tolerance, short=True)
        self._pass_tokens = reader.pass_tokens
        tokens = min(reader.pass_tokens, max(12, 2 * max(near, default=0)))
        self._reader = Reader(
            network,
            size,
            pass_tokens=tokens,
            full_tokens=self._check.tokens,
            architecture=reader.architecture,
        )
        self._numbers = numbers
        self._smaller = smaller(numbers)
        self._copied = dtype != "float32" or bool(self._smaller)
        self._copy: tuple[Reader, SelfCheck] | None = None
        self._copy_key = {
            "architecture": type(network).__name__,
            "configuration": config_digest(config),
            "attention": config._attn_implementation,
            "device": reader.forward.device.type,
            "pass_tokens": reader.pass_tokens,
            "versions": remembered.versions(),
        }
        self._of_copy: dict[str, Any] = {}

    def fault(self, way: Way) -> str | None:
        """In words, what is wrong with a way, or None."""
        return self._fault_of_copy(way) or _checked(self._check, self._reader, way)

    def _fault_of_copy(self, way: Way) -> str | None:
        if not self._copied:
            return None
        self._of_copy = self._of_copy or remembered.read(self._copy_key) or {}
        name = f"{way.attention} {way.limit} {way.batches}"
        if name not in self._of_copy:
            try:
                reader, check = self._copy = self._copy or self._made()
                limit = None if way.limit is None else self._smaller.get(way.limit, way.limit)
                found = _checked(check, reader, replace(way, limit=limit))
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # a class refuses in its own way what it cannot be
                plainest = way.attention is None and way.batches == "single"
                what = f"the numbers of its configuration cannot be checked ({error})"
                found = None if plainest else what
            self._of_copy[name] = found
            remembered.write(self._copy_key, self._of_copy)
        return self._of_copy[name]

    def _made(self) -> tuple[Reader, SelfCheck]:
        network = small_copy(self._network)
        size = len(embeddings(network))
        architecture = inspect(network)
        numbers = architecture.numbers
        tokens = self._tokens_of_copy()
        check = SelfCheck(Forward(network), size, numbers, TOLERANCE_OF_COPY)
        return Reader(
            network,
            size,
            pass_tokens=tokens,
            full_tokens=check.tokens,
            architecture=architecture,
        ), check

    def _tokens_of_copy(self) -> int:
        """Of one pass of the copy: beyond the same of its numbers as in the model's own passes."""
        below = [n for n in self._numbers if n <= self._pass_tokens]
        if len(below) == len(self._numbers):
            return 2 * max((self._smaller.get(n, n) for n in below), default=8)
        return max((self._smaller.get(n, n) for n in below if n in self._smaller), default=32) + 8


def _checked(check: SelfCheck, reader: Reader, way: Way) -> str | None:
    strategy = reader.strategy(way)
    if way.attention is None:
        return check.fault_of_batches(strategy)
    return check.fault_of_trees(strategy)


def choose(reader: Reader, network: Any, vocabulary: int, fingerprint: str, dtype: str) -> Way:
    """The quickest way whose numbers are those of full passes.

    Raises ModelError where there is none.
    """
    device = reader.forward.device
    key = {
        "architecture": type(network).__name__,
        "configuration": config_digest(network.config),
        "attention": network.config._attn_implementation,
        "fingerprint": fingerprint,
        "vocabulary": vocabulary,
        "dtype": dtype,
        "pass_tokens": reader.pass_tokens,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "versions": remembered.versions(),
    }
    if (way := _way(remembered.read(key))) is not None:
        return way
    way = _found(reader, Checks(reader, network, vocabulary, dtype), network.config.model_type)
    remembered.write(key, asdict(way))
    return way


def _found(reader: Reader, checks: Checks, kind: str) -> Way:
    fault: str | None = None
    for batches in get_args(Batches):
        fault = checks.fault(Way(None, batches=batches))
        if fault is None:
            break
    else:
        raise ModelError(f"{kind} cannot be read: its rows are not reproducible ({fault})")
    reason = reader.architecture.obstacle
    if reason is None:
        for way in reader.ways(batches):
            fault = checks.fault(way)
            if fault is None:
                return way if way.plain else replace(way, reason=reason)
            if way.limit is None:
                reason = f"read by tree, {fault}"
    return Way(None, None, batches, reason)


def _way(found: Mapping[str, Any] | None) -> Way | None:
    """A remembered way, None if it is none."""
    names = {each.name for each in fields(Way)}
    return Way(**found) if found is not None and set(found) == names else None


def config_digest(config: Any) -> str:
    """12 hex digits of `config_text`."""
    return hashlib.sha256(config_text(config).encode()).hexdigest()[:12]


def config_text(config: Any) -> str:
    """What a configuration says, but for where it came from."""
    values: dict[str, Any] = config.to_dict()
    for key in ("_name_or_path", "transformers_version", "dtype"):
        values.pop(key, None)
    return json.dumps(values, sort_keys=True, default=str)
