"""A transformers tokenizer, at the level of bytes, with structure kept apart from text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from labelmass.errors import ModelError
from labelmass.task.prompt import Part, Prompt, Turn

SAMPLES = ("S10, S3\n", "naïve 漢字 🤖", "  two  blanks", '{"label": ["joy"]}')
"""Texts whose bytes must come back from their tokens."""


class HFTokenizer:
    """Wraps a fast tokenizer. `end_ids` come from the model's generation settings too."""

    def __init__(self, tokenizer: Any, end_ids: Iterable[int] = ()) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise ModelError(
                f"{type(tokenizer).__name__} is a slow tokenizer: labelmass needs a tokenizer.json"
            )
        self._tokenizer = tokenizer
        self._backend = tokenizer.backend_tokenizer
        own = tokenizer.eos_token_id
        self.end_ids = frozenset(end_ids) | (frozenset() if own is None else {int(own)})
        added: dict[int, Any] = tokenizer.added_tokens_decoder
        special = {i for i, token in added.items() if token.special}
        self.control_ids = frozenset(special | set(tokenizer.all_special_ids) | self.end_ids)
        self._added = {i: token.content for i, token in added.items()}
        names = [self._added[i] for i in self.control_ids if i in self._added]
        self._control = {name: i for i, name in self._added.items() if i in self.control_ids}
        ordered = sorted(names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered)) or r"(?!)")

    # -- bytes ----------------------------------------------------------------------------------

    @cached_property
    def token_bytes(self) -> tuple[bytes | None, ...]:
        """Bytes each id writes; None for control tokens and ids without a token."""
        vocabulary: dict[str, int] = self._tokenizer.get_vocab()
        table: list[bytes | None] = [None] * (max(vocabulary.values()) + 1)
        decode = _byte_level if self._is_byte_level else _sentence_piece
        for text, index in vocabulary.items():
            if index in self._added:
                table[index] = None if index in self.control_ids else text.encode()
            else:
                table[index] = decode(text)
        self._verify(table)
        return tuple(table)

    @cached_property
    def _is_byte_level(self) -> bool:
        return "ByteLevel" in f"{self._backend.decoder}{self._backend.pre_tokenizer}"

    def _verify(self, table: Sequence[bytes | None]) -> None:
        for sample in SAMPLES:
            written = b"".join(table[i] or b"" for i in self.encode(sample))
            if written != sample.encode():
                raise ModelError(
                    f"the tokenizer's bytes cannot be read: {sample!r} came back as {written!r}; "
                    "it normalises its text, so probabilities of texts are not defined by its ids"
                )

    # -- text to ids ----------------------------------------------------------------------------

    @property
    def has_chat_template(self) -> bool:
        return bool(self._tokenizer.chat_template)

    @cached_property
    def fingerprint(self) -> str:
        """12 hex digits of vocabulary and chat template."""
        digest = hashlib.sha256()
        for text, index in sorted(self._tokenizer.get_vocab().items()):
            digest.update(f"{text}\x00{index}\x00".encode(errors="surrogatepass"))
        digest.update(repr(self._tokenizer.chat_template).encode())
        return digest.hexdigest()[:12]

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; what looks like a control token in it is text."""
        ids = self._plain(text)
        if self._is_byte_level or not text:
            return ids
        # SentencePiece puts a blank before the first word: write it after a line break instead.
        lead, table = self._plain("\n"), self._plain("\n" + text)
        return table[len(lead) :] if table[: len(lead)] == lead else ids

    def _plain(self, text: str) -> list[int]:
        self._backend.encode_special_tokens = True
        try:
            return list(self._backend.encode(text, add_special_tokens=False).ids)
        finally:
            self._backend.encode_special_tokens = False

    def encode_prompt(self, prompt: Prompt) -> list[int]:
        """Ids of a prompt: control tokens are structure in trusted parts, text elsewhere."""
        parts = self._render(prompt)
        text = "".join(part.text for part in parts)
        wanted = [self._control[m] for p in parts if p.trusted for m in self._pattern.findall(p.text)]
        ids = list(self._backend.encode(text, add_special_tokens=False).ids)
        if [i for i in ids if i in self.control_ids] != wanted:
            ids = self._piecewise(parts)
        return ids if prompt.chat else [*self._start_ids, *ids]

    def render_prompt(self, prompt: Prompt) -> str:
        text = "".join(part.text for part in self._render(prompt))
        names = [self._added.get(i, "") for i in self._start_ids]
        return text if prompt.chat else "".join(names) + text

    @cached_property
    def _start_ids(self) -> list[int]:
        """What the tokenizer puts before a plain text of its own accord."""
        with_, without = self._tokenizer("x"), self._tokenizer("x", add_special_tokens=False)
        ids, bare = list(with_["input_ids"]), list(without["input_ids"])
        count = next((n for n in range(len(ids)) if ids[n : n + len(bare)] == bare), 0)
        return ids[:count]

    def _piecewise(self, parts: Sequence[Part]) -> list[int]:
        """Control tokens of trusted text as ids, everything between them as plain text."""
        ids: list[int] = []
        run = ""
        for part in parts:
            if not part.trusted:
                run += part.text
                continue
            at = 0
            for match in self._pattern.finditer(part.text):
                run += part.text[at : match.start()]
                ids += self._plain(run) if run else []
                ids.append(self._control[match.group()])
                run, at = "", match.end()
            run += part.text[at:]
        return ids + (self._plain(run) if run else [])

    # -- the chat template ----------------------------------------------------------------------

    def _render(self, prompt: Prompt) -> list[Part]:
        """The prompt's text, in parts that know whether they are structure."""
        opening = [Part(prompt.opening, trusted=True)] if prompt.opening else []
        if not prompt.chat:
            return [part for turn in prompt.turns for part in turn.parts] + opening
        if not self.has_chat_template:
            raise ModelError("this model has no chat template: say chat = false (--no-chat)")
        turns = prompt.turns
        if turns[0].role == "system" and not self._takes_system:
            first = Part("\n\n", trusted=True)
            turns = (Turn("user", (*turns[0].parts, first, *turns[1].parts)), *turns[2:])
        held: list[Part] = []
        messages: list[dict[str, str]] = []
        for turn in turns:
            text = ""
            parts = self._trim(turn.parts) if self._trims else turn.parts
            for part in parts:
                text += part.text if part.trusted else _mark(len(held))
                if not part.trusted:
                    held.append(part)
            messages.append({"role": turn.role, "content": text})
        pieces = _MARKED.split(self._template(messages))
        found = [
            held[int(piece)] if index % 2 else Part(piece, trusted=True)
            for index, piece in enumerate(pieces)
        ]
        return [part for part in found if part.text] + opening

    def _template(self, messages: list[dict[str, str]]) -> str:
        try:
            return self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # whatever a template raises is the template's own word
            raise ModelError(f"the chat template refuses these turns: {error}") from error

    @cached_property
    def _takes_system(self) -> bool:
        turns = [{"role": "system", "content": "q7q"}, {"role": "user", "content": "hello"}]
        try:
            return "q7q" in self._template(turns)
        except ModelError:
            return False

    @cached_property
    def _trims(self) -> bool:
        return "  q7q" not in self._template([{"role": "user", "content": "  q7q"}])

    def _trim(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """Blanks at the two ends of a turn taken off, as the template would."""
        kept = list(parts)
        while kept and not kept[0].text.strip():
            kept.pop(0)
        while kept and not kept[-1].text.strip():
            kept.pop()
        if kept:
            kept[0] = Part(kept[0].text.lstrip(), kept[0].trusted)
            kept[-1] = Part(kept[-1].text.rstrip(), kept[-1].trusted)
        return tuple(kept)


_MARKED = re.compile("\ue000\ue0f0([0-9]+)\ue0f1\ue001")


def _mark(index: int) -> str:
    """Stands for an untrusted part while the template is rendered."""
    return f"\ue000\ue0f0{index}\ue0f1\ue001"


def _sentence_piece(text: str) -> bytes:
    if len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
        return bytes([int(text[3:5], 16)])
    return text.replace("\u2581", " ").encode()


def _byte_level(text: str) -> bytes:
    try:
        return bytes(_BYTES[char] for char in text)
    except KeyError:
        return text.encode()


def _byte_alphabet() -> dict[str, int]:
    """The characters that stand for bytes in byte-level vocabularies."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    alphabet = {chr(byte): byte for byte in shown}
    hidden = [byte for byte in range(256) if byte not in shown]
    return alphabet | {chr(256 + index): byte for index, byte in enumerate(hidden)}


_BYTES = _byte_alphabet()
