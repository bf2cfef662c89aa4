"""A language model whose distribution is written down, for tests, yours and ours.

    model = ScriptedLanguageModel({"": {"joy": 0.7, "fear": 0.3}, "joy": {"<end>": 1.0}, ...})

Exact marginals of such a model can be enumerated by hand.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from labelmass.errors import ModelError
from labelmass.lm.base import PROMPT, NextTokenLogprobs, NodeQuery, Usage
from labelmass.lm.ranked import ranked_row
from labelmass.task.prompt import Prompt

END = "<end>"
Script = Mapping[str, Mapping[str, float]] | Callable[[str, tuple[str, ...]], Mapping[str, float]]


class ScriptedTokenizer:
    """The tokens of a script, then the 256 single bytes, then the end token.

    Text is encoded by the longest token first. Two tokens may write the same text.
    """

    has_chat_template = False

    def __init__(self, tokens: Sequence[str | bytes]) -> None:
        texts = [t.encode() if isinstance(t, str) else t for t in tokens]
        self.token_bytes: tuple[bytes | None, ...] = (
            *texts,
            *(bytes([value]) for value in range(256)),
            None,
        )
        self.end_ids = frozenset({len(self.token_bytes) - 1})
        self.fingerprint = hashlib.sha256(repr(self.token_bytes).encode()).hexdigest()[:12]
        self._longest: dict[bytes, int] = {}
        for index in reversed(range(len(self.token_bytes))):
            if (text := self.token_bytes[index]) is not None:
                self._longest[text] = index
        widths: dict[int, set[int]] = {}
        for text in filter(None, self._longest):
            widths.setdefault(text[0], set()).add(len(text))
        self._widths = {first: sorted(some, reverse=True) for first, some in widths.items()}
        """Lengths of the tokens that begin with a byte, the largest first."""

    def encode(self, text: str) -> list[int]:
        data, ids, at = text.encode(), list[int](), 0
        while at < len(data):
            for width in self._widths[data[at]]:
                piece = data[at : at + width]
                if (index := self._longest.get(piece)) is not None:
                    ids.append(index)
                    at += len(piece)
                    break
        return ids

    def render_prompt(self, prompt: Prompt) -> str:
        text = "\n\n".join(turn.text for turn in prompt.turns)
        return text + prompt.prefill + prompt.opening

    def encode_prompt(self, prompt: Prompt) -> list[int]:
        return self.encode(self.render_prompt(prompt))

    def token_name(self, index: int) -> str:
        text = self.token_bytes[index]
        return END if text is None else text.decode(errors="replace")

    def decode(self, ids: Sequence[int]) -> str:
        return b"".join(self.token_bytes[i] or b"" for i in ids).decode(errors="replace")


class ScriptedLanguageModel:
    """A model given by a table or a function.

    Args:
        script: Either a table from the text written so far to the probability of each next token
            (`"<end>"` ends the answer), or a function of (prompt text, tokens written so far) that
            returns such probabilities. Probabilities at a node may sum to less than one; what is
            missing is a token outside every format.
        tokens: The tokens, where the script is a function; a table's own tokens are found in it.
        top_only: Return only the `top_only` likeliest tokens of each row, as many servers do.
        scale: `NextTokenLogprobs.scale` of every row, if the model is to have raw scores.
    """

    dtype = "float64"
    engine = "scripted"

    def __init__(
        self,
        script: Script,
        tokens: Sequence[str | bytes] = (),
        *,
        top_only: int | None = None,
        scale: float | None = None,
        context: int | None = None,
        name: str = "scripted",
    ) -> None:
        if not callable(script):
            listed = {t for row in script.values() for t in row if t != END}
            tokens = [*tokens, *sorted(listed - {t for t in tokens if isinstance(t, str)})]
        self.name, self.context = name, context
        self.tokenizer = ScriptedTokenizer(tokens)
        self.tokens = tuple(tokens)
        self._script, self._top_only, self._scale = script, top_only, scale
        words = [t if isinstance(t, str) else t.decode("latin-1") for t in tokens]
        self._words = words
        self._id = {word: index for index, word in reversed(list(enumerate(words)))}
        (self._id[END],) = self.tokenizer.end_ids
        self.fingerprint = hashlib.sha256(_source(script).encode()).hexdigest()[:12]
        self._records: dict[int, tuple[str, int, Usage, dict[int, tuple[str, ...]]]] = {}
        self._next = 0

    def distribution(self, prompt: str, path: tuple[str, ...]) -> dict[int, float]:
        """Probability of each next token id after `path`, the tokens written so far."""
        if callable(self._script):
            row = self._script(prompt, path)
        else:
            row = self._script.get("".join(path), {})
        total = sum(row.values())
        if total > 1 + 1e-9 or any(p < 0 for p in row.values()):
            raise ModelError(f"the script at {''.join(path)!r} is no distribution: {dict(row)}")
        unknown = [word for word in row if word not in self._id]
        if unknown:
            raise ModelError(f"the script at {''.join(path)!r} names no token {unknown[0]!r}")
        return {self._id[word]: p for word, p in row.items() if p > 0}

    def open(self, prompts: Sequence[Sequence[int]], shared: int = 0) -> list[int]:
        handles: list[int] = []
        for ids in prompts:
            text = self.tokenizer.decode(ids)
            self._records[self._next] = (text, len(ids), Usage(), {PROMPT: ()})
            handles.append(self._next)
            self._next += 1
        return handles

    def rows(self, queries: Sequence[NodeQuery]) -> list[NextTokenLogprobs]:
        for record in {query.record for query in queries}:
            self._records[record][2].forward_passes += 1
        return [self._row(query) for query in queries]

    def close(self, record: int) -> Usage:
        return self._records.pop(record)[2]

    def _row(self, query: NodeQuery) -> NextTokenLogprobs:
        text, length, usage, paths = self._records[query.record]
        if query.node == PROMPT:
            usage.prompt_tokens += length
        else:
            word = self._words[query.token] if query.token < len(self._words) else None
            if word is None:
                data = self.tokenizer.token_bytes[query.token] or b""
                word = data.decode("latin-1")
            paths[query.node] = (*paths[query.parent], word)
            usage.tree_tokens += 1
        row = self.distribution(text, paths[query.node])
        ranked = sorted(row.items(), key=lambda pair: (-pair[1], pair[0]))[: self._top_only]
        shown = [(index, math.log(p)) for index, p in ranked]
        everything = len(shown) == len(row)
        named = dict.fromkeys(query.ids.tolist(), -math.inf) if everything else None
        answer = ranked_row(query, shown, count=self._top_only or 0, named=named)
        return replace(answer, scale=self._scale)


def _source(script: Script) -> str:
    """Text that identifies a script, the same in every process."""
    if not callable(script):
        return repr(sorted(script.items()))
    code = getattr(script, "__code__", None)
    name = getattr(script, "__qualname__", type(script).__qualname__)
    return f"{name}:{code.co_code.hex() if code else ''}"
