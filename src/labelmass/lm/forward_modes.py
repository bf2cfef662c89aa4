"""Modes of the forward pass, and the choice of the fastest whose rows are those of full passes.

Two checks decide (`SelfCheck`): one on the model's own weights with short records, and one on a
small random copy in which the large numbers of the configuration are small, so that records beyond
them are short too. Their findings are cached.
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
from labelmass.lm import check_cache
from labelmass.lm.architecture import Architecture, inspect
from labelmass.lm.forward import Forward, embeddings
from labelmass.lm.full_forward import Batches, FullForward
from labelmass.lm.limited_trees import LimitedTrees
from labelmass.lm.masked_attention import MaskedAttention
from labelmass.lm.prefix_split_attention import PrefixSplitAttention, fits
from labelmass.lm.self_check import SelfCheck
from labelmass.lm.small_copy import small_copy, smaller
from labelmass.lm.tree_attention import Attention, TreeAttention

MAX_ON_WEIGHTS = 256
"""Critical lengths up to this are checked on the model's own weights, too."""

MIN_TREE_LENGTH = 32
"""Tokens that a sequence must be allowed to have for reading by tree to be of any use."""

FLOAT32_TOLERANCE = 1e-3
"""Nats by which rows of the model's own weights in float32 may differ."""

HALF_TOLERANCE = 1.0
"""The same in half precision, where rounding alone moves likely tokens by a third of a nat."""

COPY_TOLERANCE = 1e-4
"""Nats by which rows of a small copy, which is in float32, may differ."""

Strategy = TreeAttention | LimitedTrees | FullForward


@dataclass(frozen=True, slots=True)
class ForwardMode:
    """Mode of the forward passes that read trees from a model.

    attention: Tree attention, 'split' or 'masked'; None for one full pass per node instead.
    limit: Tokens up to which sequences are read by tree; None for no limit.
    batches: Kind of sequences that may share a full pass.
    reason: Short reason that some sequences are not read by tree.
    """

    attention: str | None
    limit: int | None = None
    batches: Batches = "mixed"
    reason: str | None = None

    @property
    def by_tree(self) -> bool:
        """True if every sequence is read by tree."""
        return self.attention is not None and self.limit is None

    def note(self, model_type: str) -> str | None:
        """Note for the user on what is slow and why; None if nothing is."""
        if self.by_tree:
            return None
        slow = f"one full pass per node, which is slow: {self.reason}"
        if self.attention is None:
            return f"{model_type} is read with {slow}"
        return f"{model_type} is read beyond {self.limit} tokens with {slow}"


class StrategyFactory:
    """Makes strategies for one network.

    vocabulary: Number of ids the tokenizer knows.
    pass_tokens, max_slots: As for `TreeAttention`.
    full_pass_tokens: Most tokens of one full pass; by default `pass_tokens`.
    """

    def __init__(
        self,
        network: Any,
        vocabulary: int,
        *,
        pass_tokens: int,
        max_slots: int | None = None,
        full_pass_tokens: int | None = None,
        architecture: Architecture | None = None,
    ) -> None:
        self.network = network
        self.forward = Forward(network)
        self.architecture = architecture or inspect(network)
        self.vocabulary, self.pass_tokens = vocabulary, pass_tokens
        self._full_pass_tokens = full_pass_tokens or pass_tokens
        self._max_slots = max_slots
        windows = self.architecture.windows
        self._attentions: dict[str, Callable[[], Attention]] = {
            "masked": partial(MaskedAttention, self.forward, windows)
        }
        if fits(self.forward, windows):
            self._attentions = {
                "split": partial(PrefixSplitAttention, self.forward),
                **self._attentions,
            }

    def can_read(self, mode: ForwardMode) -> bool:
        """True if there is a strategy for a mode."""
        return mode.attention is None or mode.attention in self._attentions

    def strategy(self, mode: ForwardMode) -> Strategy:
        """A fresh strategy with no records open."""
        full = FullForward(
            self.forward,
            self.vocabulary,
            pass_tokens=self._full_pass_tokens,
            batches=mode.batches,
        )
        if mode.attention is None:
            return full
        tree = TreeAttention(
            self._attentions[mode.attention](),
            self.vocabulary,
            pass_tokens=self.pass_tokens,
            max_slots=self._max_slots,
        )
        return tree if mode.limit is None else LimitedTrees(mode.limit, tree, full)

    def tree_modes(self, batches: Batches) -> Iterator[ForwardMode]:
        """Modes that read by tree, the fastest first."""
        lengths = self.architecture.critical_lengths
        limits = [  # what a length changes may begin at it or beyond it
            limit
            for length in reversed(lengths)
            for limit in (length, length - 1)
            if limit >= MIN_TREE_LENGTH
        ]
        for limit in (None, *limits):
            for attention in self._attentions:
                yield ForwardMode(attention, limit, batches)


class ModeChecks:
    """Checks of forward modes of one network, on its own weights and on a small copy.

    The copy is made only where it can show more, and only if its findings are not cached.
    """

    def __init__(self, factory: StrategyFactory, dtype: str) -> None:
        self._network, self._pass_tokens = factory.network, factory.pass_tokens
        self._lengths = factory.architecture.critical_lengths
        self._scaled = smaller(self._lengths)
        self._needs_copy = dtype != "float32" or bool(self._scaled)
        self._copy: tuple[SelfCheck, StrategyFactory] | None = None
        self._copy_key = _key(factory) | {"device": factory.forward.device.type}
        self._copy_findings: dict[str, Any] = {}
        context = factory.architecture.context
        self._on_weights = _check_and_factory(
            self._network,
            factory.architecture,
            min(factory.vocabulary, len(embeddings(self._network))),
            [
                length
                for length in self._lengths
                if length <= MAX_ON_WEIGHTS and (context is None or length + 24 < context)
            ],
            FLOAT32_TOLERANCE if dtype == "float32" else HALF_TOLERANCE,
            most_pass_tokens=factory.pass_tokens,
            short=True,
        )

    def problem(self, mode: ForwardMode) -> str | None:
        """Difference between a mode's rows and full passes, in words; None if there is none."""
        return self._problem_of_copy(mode) or _problem(*self._on_weights, mode)

    def _problem_of_copy(self, mode: ForwardMode) -> str | None:
        if not self._needs_copy:
            return None
        self._copy_findings = self._copy_findings or check_cache.read(self._copy_key) or {}
        name = f"{mode.attention} {mode.limit} {mode.batches}"
        if name not in self._copy_findings:
            try:
                self._copy = self._copy or self._make_copy()
                problem = _problem(*self._copy, self._scaled_down(mode))
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # each class has its own errors for what it cannot be
                problem = f"the numbers of its configuration cannot be checked ({error})"
                if mode.attention is None and mode.batches == "single":
                    problem = None  # the reference itself
            self._copy_findings[name] = problem
            check_cache.write(self._copy_key, self._copy_findings)
        return self._copy_findings[name]

    def _scaled_down(self, mode: ForwardMode) -> ForwardMode:
        """The same mode of the copy, in which critical lengths are others."""
        if mode.limit is None:
            return mode
        length = mode.limit if mode.limit in self._lengths else mode.limit + 1
        limit = self._scaled.get(length, length) - (length - mode.limit)
        return replace(mode, limit=limit)

    def _make_copy(self) -> tuple[SelfCheck, StrategyFactory]:
        network = small_copy(self._network)
        architecture = inspect(network)
        return _check_and_factory(
            network,
            architecture,
            len(embeddings(network)),
            architecture.critical_lengths,
            COPY_TOLERANCE,
            most_pass_tokens=self._pass_tokens_of_copy(),
        )

    def _pass_tokens_of_copy(self) -> int | None:
        """Tokens of a pass that exceed the same critical lengths as the model's own do.

        None if those exceed all of them.
        """
        exceeded = [length for length in self._lengths if length <= self._pass_tokens]
        if len(exceeded) == len(self._lengths):
            return None
        return max((self._scaled[n] for n in exceeded if n in self._scaled), default=32) + 8


def _check_and_factory(
    network: Any,
    architecture: Architecture,
    vocabulary: int,
    lengths: list[int] | tuple[int, ...],
    tolerance: float,
    *,
    most_pass_tokens: int | None,
    short: bool = False,
) -> tuple[SelfCheck, StrategyFactory]:
    """A check, and what makes strategies for it: passes are short enough to cut prompts."""
    check = SelfCheck(Forward(network), vocabulary, lengths, tolerance, short=short)
    pass_tokens = max(12, 2 * max(lengths, default=0))
    factory = StrategyFactory(
        network,
        vocabulary,
        pass_tokens=min(pass_tokens, most_pass_tokens or pass_tokens),
        full_pass_tokens=check.batch_tokens,
        architecture=architecture,
    )
    return check, factory


def _problem(check: SelfCheck, factory: StrategyFactory, mode: ForwardMode) -> str | None:
    strategy = factory.strategy(mode)
    if mode.attention is None:
        return check.problem_of_batches(strategy)
    return check.problem_of_trees(strategy)


def choose_mode(factory: StrategyFactory, fingerprint: str, dtype: str) -> ForwardMode:
    """The fastest mode whose rows are those of full passes.

    Raises:
        ModelError: Full passes themselves do not give rows, or other rows each time.
    """
    device = factory.forward.device
    key = _key(factory) | {
        "fingerprint": fingerprint,
        "vocabulary": factory.vocabulary,
        "dtype": dtype,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }
    cached = _cached_mode(key)
    if cached is not None and factory.can_read(cached):
        return cached
    mode = _choose(factory, ModeChecks(factory, dtype))
    check_cache.write(key, asdict(mode))
    return mode


def _choose(factory: StrategyFactory, checks: ModeChecks) -> ForwardMode:
    problem: str | None = None
    for batches in get_args(Batches):
        problem = checks.problem(ForwardMode(None, batches=batches))
        if problem is None:
            break
    else:
        model_type = factory.network.config.model_type
        raise ModelError(f"{model_type} cannot be read: its rows are not reproducible ({problem})")
    reason = factory.architecture.obstacle
    if reason is None:
        for mode in factory.tree_modes(batches):
            problem = checks.problem(mode)
            if problem is None:
                return mode if mode.by_tree else replace(mode, reason=reason)
            if mode.limit is None:
                reason = f"read by tree, {problem}"
    return ForwardMode(None, None, batches, reason)


def _key(factory: StrategyFactory) -> dict[str, Any]:
    """Key of the findings about a model, independent of its weights."""
    config = factory.network.config
    return {
        "architecture": type(factory.network).__name__,
        "configuration": hashlib.sha256(config_text(config).encode()).hexdigest()[:12],
        "attention": config._attn_implementation,
        "pass_tokens": factory.pass_tokens,
        "versions": check_cache.versions(),
    }


def _cached_mode(key: Mapping[str, Any]) -> ForwardMode | None:
    result = check_cache.read(key)
    names = {each.name for each in fields(ForwardMode)}
    return ForwardMode(**result) if result is not None and set(result) == names else None


def config_text(config: Any) -> str:
    """Canonical text of a configuration, without its origin."""
    values: dict[str, Any] = config.to_dict()
    for key in ("_name_or_path", "transformers_version", "dtype"):
        values.pop(key, None)
    return json.dumps(values, sort_keys=True, default=str)
