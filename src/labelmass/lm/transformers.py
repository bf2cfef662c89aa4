"""The transformers engine: tree attention over one cache of slots.

The beginning that prompts share is computed once. Everything else - the ends of many prompts and
the nodes of their trees - is packed into one row, each token seeing the shared beginning, its own
record's prompt and its own ancestors. So a pass costs its tokens, and no token is computed twice.
Where that is not valid (recurrent layers, a window shorter than the prompt) every node is a full
forward pass of its own, slower and right, and `engine` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelmass.errors import ModelError
from labelmass.lm.base import PROMPT, Ask, Row, Usage
from labelmass.lm.slots import Slots, slot_cache
from labelmass.lm.tokenizer import HFTokenizer

PASS_TOKENS = {"cpu": 640, "cuda": 4096}
"""Most tokens in one pass: enough to fill the machine, few enough that the mask stays small."""

MARGIN = 256
"""Answer tokens allowed for when a prompt is held against a sliding window."""


@dataclass(slots=True)
class _Node:
    slot: int
    position: int
    lineage: list[int]  # slots of the answer's tokens up to this node


@dataclass(slots=True)
class _Record:
    ids: list[int]
    prefix: int  # leading ids that stand in the shared slots
    full: bool  # read by full forward passes
    slots: list[int] = field(default_factory=list)  # of ids[prefix:]
    nodes: dict[int, _Node] = field(default_factory=dict)
    paths: dict[int, list[int]] = field(default_factory=lambda: {PROMPT: []})
    usage: Usage = field(default_factory=Usage)


@dataclass(slots=True)
class _Token:
    """One position of a pass. `row`: where in the answer its row is wanted, or -1."""

    record: _Record
    token: int
    position: int
    slot: int
    seen: list[int]  # slots it sees, besides the shared ones and itself
    row: int
    is_prompt: bool


class TransformersModel:
    """A causal language model and its tokenizer, as `LanguageModel`.

    model: any causal model of transformers. tokenizer: its fast tokenizer.
    name, fingerprint: what results call it.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: HFTokenizer,
        name: str,
        fingerprint: str,
    ) -> None:
        self.name, self.fingerprint, self.tokenizer = name, fingerprint, tokenizer
        self._model = model.eval()
        self._device = model.get_input_embeddings().weight.device
        self.dtype = str(model.dtype).removeprefix("torch.")
        config = model.config.get_text_config()
        self.context: int | None = getattr(config, "max_position_embeddings", None)
        self._known = len(tokenizer.token_bytes)
        self._cap = PASS_TOKENS.get(self._device.type, 640)
        self._layers: int = getattr(config, "num_hidden_layers", 0)
        self.usage = Usage()
        self._records: dict[int, _Record] = {}
        self._next = 0
        self._window = _window(config)
        self._forget()
        self.note = None if _full_attention(config) else "not every layer is full attention"
        self.note = self.note or self._self_check()

    @property
    def engine(self) -> str:
        if self.note is not None:
            return "transformers/full-forward"
        limit = f" (full-forward beyond {self._window} tokens)" if self._window else ""
        return f"transformers/tree-attention{limit}"

    # -- the protocol ---------------------------------------------------------------------------

    def open(self, prompts: Sequence[Sequence[int]], shared: int = 0) -> list[int]:
        handles: list[int] = []
        for prompt in prompts:
            ids = [int(i) for i in prompt]
            if not ids:
                raise ModelError("an empty prompt: the model needs at least one token")
            too_long = self._window is not None and len(ids) + MARGIN > self._window
            record = _Record(ids, 0, self.note is not None or too_long)
            if not record.full:
                record.prefix = self._share(ids, min(shared, len(ids) - 1), record.usage)
            self._records[self._next] = record
            handles.append(self._next)
            self._next += 1
        return handles

    def close(self, record: int) -> Usage:
        closed = self._records.pop(record)
        self._slots.give(closed.slots + [node.slot for node in closed.nodes.values()])
        return closed.usage

    @torch.inference_mode()
    def rows(self, asks: Sequence[Ask]) -> list[Row]:
        logprobs: list[torch.Tensor | None] = [None] * len(asks)
        found: list[tuple[list[int], torch.Tensor]] = []
        slow = [i for i, ask in enumerate(asks) if self._records[ask.record].full]
        if slow:
            found += self._full_forward(asks, slow)
        tokens = self._lay_out(asks, logprobs)
        for first in range(0, len(tokens), self._cap):
            found.append(self._pass(tokens[first : first + self._cap]))
        return self._answer(asks, found)

    # -- laying out -----------------------------------------------------------------------------

    def _lay_out(self, asks: Sequence[Ask], held: list[torch.Tensor | None]) -> list[_Token]:
        """Every position this call must compute, ancestors first."""
        by_record: dict[int, list[int]] = {}
        for index, ask in enumerate(asks):
            if not self._records[ask.record].full:
                by_record.setdefault(ask.record, []).append(index)
        tokens: list[_Token] = []
        for handle, indices in by_record.items():
            record = self._records[handle]
            if not record.slots:
                tokens += self._suffix(record)
            elif any(asks[i].node == PROMPT for i in indices):
                raise ModelError("the prompt's row was asked for twice")
            for index in indices:
                ask = asks[index]
                if ask.node == PROMPT:
                    tokens[-1].row = index
                    continue
                parent = None if ask.parent == PROMPT else record.nodes[ask.parent]
                before = [] if parent is None else parent.lineage
                position = len(record.ids) if parent is None else parent.position + 1
                (slot,) = self._slots.take(1)
                record.nodes[ask.node] = _Node(slot, position, [*before, slot])
                seen = record.slots + before
                tokens.append(_Token(record, ask.token, position, slot, seen, index, False))
        return tokens

    def _suffix(self, record: _Record) -> list[_Token]:
        rest = record.ids[record.prefix :]
        record.slots = self._slots.take(len(rest))
        return [
            _Token(record, token, record.prefix + at, slot, record.slots[:at], -1, True)
            for at, (token, slot) in enumerate(zip(rest, record.slots, strict=True))
        ]

    def _share(self, ids: list[int], shared: int, usage: Usage) -> int:
        """How many leading ids stand in the shared slots, computing them where they do not."""
        count = 0
        for one, other in zip(self._prefix, ids[:shared], strict=False):
            if one != other:
                break
            count += 1
        if count == shared or any(not record.full for record in self._records.values()):
            return count
        self._forget()
        self._prefix = ids[:shared]
        slots = self._slots.take(shared)
        record = _Record(self._prefix, 0, False, usage=usage)
        tokens = [
            _Token(record, token, at, slot, slots[:at], -1, True)
            for at, (token, slot) in enumerate(zip(self._prefix, slots, strict=True))
        ]
        with torch.inference_mode():
            for first in range(0, len(tokens), self._cap):
                self._pass(tokens[first : first + self._cap])
        return shared

    def _forget(self) -> None:
        self._slots = Slots()
        self._cache = slot_cache(self._layers, self._slots)
        self._prefix: list[int] = []

    # -- computing ------------------------------------------------------------------------------

    def _pass(self, tokens: list[_Token]) -> tuple[list[int], torch.Tensor]:
        """One forward pass: the asks answered, and their rows of log-probabilities."""
        device = self._device
        self._slots.where = torch.tensor([t.slot for t in tokens], device=device)
        wanted = [at for at, token in enumerate(tokens) if token.row >= 0]
        output = self._model(
            input_ids=torch.tensor([[t.token for t in tokens]], device=device),
            position_ids=torch.tensor([[t.position for t in tokens]], device=device),
            attention_mask=self._mask(tokens),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=torch.tensor(wanted or [0], device=device),
        )
        self._count(tokens)
        rows = [tokens[at].row for at in wanted]
        return rows, self._log_softmax(output.logits[0, : len(wanted)])

    def _mask(self, tokens: list[_Token]) -> torch.Tensor:
        """(1, 1, tokens, slots) additive: 0 where a token sees a slot."""
        sees = np.zeros((len(tokens), self._slots.high), dtype=bool)
        for at, token in enumerate(tokens):
            sees[at, : token.record.prefix] = True
            sees[at, token.seen] = True
            sees[at, token.slot] = True
        visible = torch.from_numpy(sees).to(self._device)
        mask = torch.zeros(visible.shape, dtype=self._model.dtype, device=self._device)
        mask.masked_fill_(~visible, torch.finfo(mask.dtype).min)
        return mask[None, None]

    def _count(self, tokens: list[_Token]) -> None:
        """Book what was computed; a pass that records share is booked on the first of them."""
        tokens[0].record.usage.forward_passes += 1
        self.usage.forward_passes += 1
        for token in tokens:
            for usage in (token.record.usage, self.usage):
                if token.is_prompt:
                    usage.prompt_tokens += 1
                else:
                    usage.tree_tokens += 1

    def _log_softmax(self, logits: torch.Tensor) -> torch.Tensor:
        logits = logits.float()
        if logits.shape[-1] > self._known:
            logits[..., self._known :] = -torch.inf
        return logits.log_softmax(-1)

    def _full_forward(
        self, asks: Sequence[Ask], indices: list[int]
    ) -> list[tuple[list[int], torch.Tensor]]:
        """One pass over prompt and path for every node, without a cache."""
        found: list[tuple[list[int], torch.Tensor]] = []
        for index in indices:
            ask = asks[index]
            record = self._records[ask.record]
            if ask.node != PROMPT:
                record.paths[ask.node] = [*record.paths[ask.parent], ask.token]
            ids = record.ids + record.paths[ask.node]
            output = self._model(
                input_ids=torch.tensor([ids], device=self._device), use_cache=False
            )
            for usage in (record.usage, self.usage):
                usage.forward_passes += 1
                usage.prompt_tokens += len(record.ids)
                usage.tree_tokens += len(ids) - len(record.ids)
            found.append(([index], self._log_softmax(output.logits[0, -1:])))
        return found

    # -- answering ------------------------------------------------------------------------------

    def _answer(
        self, asks: Sequence[Ask], found: list[tuple[list[int], torch.Tensor]]
    ) -> list[Row]:
        rows: dict[int, Row] = {}
        for indices, logprobs in found:
            if not indices:
                continue
            group = [asks[i] for i in indices]
            which = np.repeat(np.arange(len(group)), [len(ask.ids) for ask in group])
            ids = np.concatenate([ask.ids for ask in group])
            at = torch.from_numpy(which).to(logprobs.device)
            values = logprobs[at, torch.from_numpy(ids).to(logprobs.device)]
            asked: NDArray[np.float64] = values.double().cpu().numpy()
            count = max(ask.top for ask in group)
            likeliest = torch.topk(logprobs, min(count, logprobs.shape[-1]))
            top_ids = likeliest.indices.cpu().tolist()
            top_values = likeliest.values.double().cpu().tolist()
            end = 0
            for row, (index, ask) in enumerate(zip(indices, group, strict=True)):
                begin, end = end, end + len(ask.ids)
                mine = asked[begin:end]
                rest = max(1.0 - float(np.exp(mine).sum()), 0.0)
                top = tuple(zip(top_ids[row][: ask.top], top_values[row][: ask.top], strict=True))
                rows[index] = Row(mine, top, rest)
        return [rows[index] for index in range(len(asks))]

    # -- validity -------------------------------------------------------------------------------

    @torch.inference_mode()
    def _self_check(self) -> str | None:
        """Hold tree attention against full forward passes on two tiny branches."""
        ids = [i % self._known for i in (11, 7, 23, 5, 19, 3, 29)]
        empty = np.zeros(0, dtype=np.int64)
        probe = np.array([ids[0]], dtype=np.int64)
        try:
            (handle,) = self.open([ids[:4]], 2)
            rows = self.rows(
                [
                    Ask(handle, PROMPT, PROMPT, -1, probe),
                    Ask(handle, 1, PROMPT, ids[4], probe),
                    Ask(handle, 2, PROMPT, ids[5], empty),
                    Ask(handle, 3, 2, ids[6], probe),
                ]
            )
            self.close(handle)
            got = [float(rows[i].logprobs[0]) for i in (0, 1, 3)]
            want = [
                float(
                    self._log_softmax(
                        self._model(
                            input_ids=torch.tensor([path], device=self._device), use_cache=False
                        ).logits[0, -1:]
                    )[0, ids[0]]
                )
                for path in (ids[:4], ids[:5], [*ids[:4], ids[5], ids[6]])
            ]
        except (TypeError, ValueError, RuntimeError, NotImplementedError, AttributeError) as error:
            self._records.clear()
            return f"the model does not take a tree ({type(error).__name__}: {error})"
        finally:
            self._forget()
            self.usage = Usage()
        worst = max(abs(a - b) for a, b in zip(got, want, strict=True))
        limit = 1e-3 if self.dtype == "float32" else 0.25
        if not worst <= limit:
            return f"tree attention is {worst:.2g} nats off a full pass on this model"
        return None


def _full_attention(config: Any) -> bool:
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    return kinds <= {"full_attention", "sliding_attention"}


def _window(config: Any) -> int | None:
    """The shortest attention window of any layer, None where every layer sees everything."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    if window is None or getattr(config, "use_sliding_window", True) is False:
        return None
    if kinds is not None and "sliding_attention" not in kinds:
        return None
    return int(window)
