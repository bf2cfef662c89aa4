"""A transformers tokenizer at the level of bytes, in which outside text is never structure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from labelmass.errors import ModelError
from labelmass.lm.chat import ChatTemplate
from labelmass.lm.token_bytes import token_bytes
from labelmass.task.prompt import Part, Prompt

TAG = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]|<\|.+\|>")
"""What an added token looks like that a chat template may use as structure."""

ANCHOR = "\x02"
"""Put before text so that a blank is added to it and not to the text."""

PROBES = ("labels: 12345, S10\n\n- next", "Grüße, 漢字 🙂\n\tx  y", '{"a": ["b"]}', "don't")


class HFTokenizer:
    """A `Tokenizer` over a fast tokenizer of the transformers library.

    tokenizer: the transformers tokenizer; it must have a backend of the tokenizers library.
    end_ids: ids that end the model's turn, besides the tokenizer's own.

    Raises ModelError if the bytes of its tokens do not add up to the text it reads.
    """

    def __init__(self, tokenizer: Any, end_ids: Iterable[int | None] = ()) -> None:
        self._tokenizer = tokenizer
        self._backend: Any = getattr(tokenizer, "backend_tokenizer", None)
        if self._backend is None:
            raise ModelError("the model's tokenizer has no tokenizer.json, which labelmass needs")
        ends = {*end_ids, tokenizer.eos_token_id}
        self.end_ids = frozenset(int(i) for i in ends if i is not None)
        self.has_chat_template = tokenizer.chat_template is not None
        self._chat = ChatTemplate.of(tokenizer)
        self._control = self._control_tokens()
        # An added token counts as text inside text only if the backend takes it for special.
        self._backend.add_special_tokens(list(self._control))
        longest_first = sorted(self._control, key=len, reverse=True)
        self._structure = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._anchor = self._anchor_ids()
        self._check()

    @property
    def token_bytes(self) -> tuple[bytes | None, ...]:
        """Bytes by id; None for control tokens, and for ids without a token."""
        return self._table

    @property
    def fingerprint(self) -> str:
        """12 hex digits of the vocabulary and the chat template."""
        return self._digest

    @cached_property
    def _table(self) -> tuple[bytes | None, ...]:
        vocabulary: dict[str, int] = self._backend.get_vocab(with_added_tokens=True)
        settings = {
            key: json.loads(part.__getstate__()) if part is not None else None
            for key, part in (
                ("decoder", self._backend.decoder),
                ("pre_tokenizer", self._backend.pre_tokenizer),
            )
        }
        added = {index: token.content for index, token in self._added.items()}
        control = {*self._control.values(), *self.end_ids}
        return token_bytes(vocabulary, settings, control, added)

    @cached_property
    def _digest(self) -> str:
        vocabulary = sorted(self._backend.get_vocab(with_added_tokens=True).items())
        source = json.dumps([vocabulary, self._tokenizer.chat_template])
        return hashlib.sha256(source.encode()).hexdigest()[:12]

    def encode(self, text: str) -> list[int]:
        """Ids of plain text, with no blank put before it and no control token in it."""
        ids = self._plain(text)
        if not self._control.keys().isdisjoint(self._structure.findall(text)):
            if not set(self._control.values()).isdisjoint(ids):
                return self._plain_split(text)
        return ids

    def encode_prompt(self, prompt: Prompt) -> list[int]:
        """Ids of a whole prompt; the bytes of its text in their usual division into tokens.

        Raises ModelError if the model has no chat template and the prompt asks for one.
        """
        parts = self._parts(prompt)
        spelt = any(self._structure.search(p.text) for p in parts if not p.trusted)
        ids = None if spelt else self._encode_whole(parts)
        if ids is None:
            ids = self._encode_pieces(parts)
        if not prompt.chat and ids[: len(self._leading)] != self._leading:
            ids = [*self._leading, *ids]
        return ids

    def render_prompt(self, prompt: Prompt) -> str:
        return "".join(part.text for part in self._parts(prompt))

    def decode(self, ids: Sequence[int]) -> str:
        """The text that ids write; control tokens write none."""
        return b"".join(self.token_bytes[i] or b"" for i in ids).decode(errors="replace")

    def save(self, folder: Path) -> None:
        """tokenizer.json and what goes with it, as transformers reads them."""
        self._tokenizer.save_pretrained(folder)

    @property
    def _added(self) -> dict[int, Any]:
        """Added tokens by id."""
        return self._backend.get_added_tokens_decoder()

    @cached_property
    def _leading(self) -> list[int]:
        """Ids the tokenizer puts before any text, as a rule BOS or none."""
        bare = self._tokenizer("x", add_special_tokens=False)["input_ids"]
        full = self._tokenizer("x", add_special_tokens=True)["input_ids"]
        starts = range(len(full) - len(bare) + 1)
        start = next((i for i in starts if full[i : i + len(bare)] == bare), 0)
        return list(full[:start])

    def _control_tokens(self) -> dict[str, int]:
        """Ids of control tokens by text: special ones, and tags that the template writes."""
        template = self._tokenizer.chat_template
        written = template if isinstance(template, str) else json.dumps(template or "")
        named = set(self._tokenizer.all_special_ids) | self.end_ids
        return {
            token.content: index
            for index, token in self._added.items()
            if token.special
            or index in named
            or (TAG.fullmatch(token.content) and token.content in written)
            or token.content.startswith("<|")
        }

    def _parts(self, prompt: Prompt) -> list[Part]:
        if not prompt.chat:
            parts = [part for turn in prompt.turns for part in turn.parts]
        elif self.has_chat_template:
            parts = self._chat.render(prompt.turns)
        else:
            raise ModelError("the model has no chat template; set chat = false in the task")
        return [part for part in (*parts, Part(prompt.opening)) if part.text]

    def _encode_whole(self, parts: Sequence[Part]) -> list[int] | None:
        """Ids of the parts read as one text; None if they form structure between them."""
        expected = [
            self._control[found]
            for part in parts
            if part.trusted
            for found in self._structure.findall(part.text)
        ]
        text = "".join(part.text for part in parts)
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        control = set(self._control.values())
        return ids if [i for i in ids if i in control] == expected else None

    def _encode_pieces(self, parts: Sequence[Part]) -> list[int]:
        """Ids of the parts with control tokens of trusted text only, all else as plain text."""
        ids: list[int] = []
        run = ""
        for part in parts:
            end = 0
            for found in self._structure.finditer(part.text) if part.trusted else ():
                ids += self.encode(run + part.text[end : found.start()])
                ids.append(self._control[found[0]])
                run, end = "", found.end()
            run += part.text[end:]
        return ids + self.encode(run)

    def _plain(self, text: str) -> list[int]:
        if not text:
            return []
        backend = self._backend
        former, backend.encode_special_tokens = backend.encode_special_tokens, True
        try:
            ids: list[int] = backend.encode(
                ANCHOR + text if self._anchor else text, add_special_tokens=False
            ).ids
        finally:
            backend.encode_special_tokens = former
        return ids[len(self._anchor) :] if self._anchor else ids

    def _plain_split(self, text: str) -> list[int]:
        """Ids of text whose control strings are torn apart behind their first character."""
        ids: list[int] = []
        end = 0
        for found in self._structure.finditer(text):
            ids += self._plain(text[end : found.start() + 1])
            end = found.start() + 1
        return ids + self._plain(text[end:])

    def _anchor_ids(self) -> list[int]:
        """Ids of ANCHOR where the tokenizer puts a blank before text; none where it does not."""
        backend = self._backend
        tokens = backend.encode("x", add_special_tokens=False).tokens
        if not tokens or tokens[0][:1] not in ("\u2581", "\u0120"):
            return []
        ids: list[int] = backend.encode(ANCHOR, add_special_tokens=False).ids
        return ids

    def _check(self) -> None:
        for text in PROBES:
            pieces = [self.token_bytes[i] for i in self.encode(text)]
            if None in pieces or b"".join(p for p in pieces if p is not None) != text.encode():
                raise ModelError(
                    "the bytes of the model's tokens do not add up to the text it reads "
                    f"({text!r}); labelmass cannot score with this tokenizer"
                )
