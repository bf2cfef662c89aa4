"""The one question a language model answers: what comes after these tokens?

An engine is any object with the attributes and methods of `LanguageModel`. It is asked for rows
of next-token log-probabilities at named nodes, by token id, in batches, and never ships whole
vocabularies. What an engine cannot return stays unexplored and widens the bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from labelmass.task.prompt import Prompt

PROMPT = 0
"""The node that stands for the prompt itself, before any token of the answer."""


@dataclass(frozen=True, slots=True)
class NodeQuery:
    """One node whose row is wanted.

    Attributes:
        record: Handle returned by `LanguageModel.open`.
        node: The caller's name for the node, unique within the record; PROMPT (0) is the prompt.
        parent: The node it extends; itself for PROMPT. The parent was queried before, or stands
            earlier in the same call.
        token: The id that leads from parent to node; -1 for PROMPT.
        ids: (n,) int64, the token ids whose log-probabilities are wanted.
        top: Number of the likeliest ids of the whole row to return, at least 1.
    """

    record: int
    node: int
    parent: int
    token: int
    ids: NDArray[np.int64]
    top: int = 1


@dataclass(frozen=True, slots=True)
class NextTokenLogprobs:
    """The next-token distribution at one node, as far as it was queried.

    Attributes:
        logprobs: (n,) float64 in nats, aligned with `NodeQuery.ids`; NaN where the engine could not
            tell, -inf where the probability is zero. Temperature 1, softmax over the full
            vocabulary in float32 or better.
        top: The likeliest (id, logprob) of the whole row, in descending order.
        residual: Probability of every id not given in `logprobs`, never below 0.
        unseen: Largest probability, a part of `residual`, that the queried ids without a
            log-probability can have together; 0 if all came.
        scale: Natural log of the sum of exponentials of the model's raw scores, so that a raw score
            is its log-probability plus this; None where the engine does not say.
    """

    logprobs: NDArray[np.float64]
    top: tuple[tuple[int, float], ...]
    residual: float
    unseen: float = 0.0
    scale: float | None = None


@dataclass(slots=True)
class Usage:
    """Cost as counted by the engine.

    Attributes:
        prompt_tokens: Prompt positions put through the model (a shared prefix counts once).
        tree_tokens: Answer positions put through the model.
        forward_passes: Calls of the model.
    """

    prompt_tokens: int = 0
    tree_tokens: int = 0
    forward_passes: int = 0

    def __iadd__(self, other: Usage) -> Usage:
        self.prompt_tokens += other.prompt_tokens
        self.tree_tokens += other.tree_tokens
        self.forward_passes += other.forward_passes
        return self


class Tokenizer(Protocol):
    """Text to ids and back, at the level of bytes."""

    @property
    def token_bytes(self) -> Sequence[bytes | None]:
        """Bytes each id writes, by id; None for control tokens, which write no text."""
        ...

    @property
    def end_ids(self) -> frozenset[int]:
        """Ids that end the model's turn."""
        ...

    @property
    def has_chat_template(self) -> bool: ...

    @property
    def fingerprint(self) -> str:
        """Hash of vocabulary and chat template, a few hex digits."""
        ...

    def token_name(self, index: int) -> str:
        """Display name of an id in the vocabulary: the text of a control token."""
        ...

    def encode(self, text: str) -> list[int]:
        """Ids of plain text: control-token strings in it are encoded as text; no BOS is added."""
        ...

    def encode_prompt(self, prompt: Prompt) -> list[int]:
        """Ids of a whole prompt, chat template applied if the prompt asks for it.

        Control tokens are structure in trusted parts and plain text in untrusted ones.
        """
        ...

    def render_prompt(self, prompt: Prompt) -> str:
        """The text that `encode_prompt` encodes."""
        ...


class LanguageModel(Protocol):
    """A model that gives next-token log-probabilities.

    One that also has a `canary` is known by it on other engines, see `lm.canary`.
    """

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Hash of the weights' identity, a few hex digits."""
        ...

    @property
    def dtype(self) -> str: ...

    @property
    def engine(self) -> str:
        """Engine and how it reads trees, for example 'transformers/tree-attention'."""
        ...

    @property
    def context(self) -> int | None:
        """Longest prompt plus answer in tokens; None if unlimited."""
        ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    def open(self, prompts: Sequence[Sequence[int]], shared: int = 0) -> list[int]:
        """Register prompts and return one handle each; nothing need be computed yet.

        Args:
            shared: Number of leading ids that all prompts of this run share (worth keeping).
        """
        ...

    def rows(self, queries: Sequence[NodeQuery]) -> list[NextTokenLogprobs]:
        """One row per query, in order, in as few passes as the engine can."""
        ...

    def close(self, record: int) -> Usage:
        """Forget a record and return what it cost; passes are shared out over a batch."""
        ...


@runtime_checkable
class RemoteLanguageModel(LanguageModel, Protocol):
    """A model that works elsewhere, so that many records can wait for their rows at once."""

    @property
    def max_records(self) -> int | None:
        """Records that are best in flight at once; None if more do no harm."""
        ...

    def submit_rows(self, queries: Sequence[NodeQuery]) -> Future[list[NextTokenLogprobs]]:
        """One row per query, in order, when they have come; cancelling takes the queries back."""
        ...


def common_length(sequences: Sequence[Sequence[int]]) -> int:
    """Length of the longest common beginning."""
    count = 0
    for values in zip(*sequences, strict=False):
        if values.count(values[0]) < len(values):
            break
        count += 1
    return count
