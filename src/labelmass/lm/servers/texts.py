"""Contexts and tokens as text, for servers that take and give no token ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from labelmass.lm.base import Tokenizer
from labelmass.lm.servers.protocol import Answer, Wire, logprob, member
from labelmass.task.prompt import Part, Prompt, Turn

REPLACEMENT = "\ufffd"
"""What stands in a text for bytes that are no character, of whichever token."""


class TokenTexts:
    """Texts of contexts and ids of texts, where there is one and no other."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._written: list[bytes] = []
        self._ids: dict[bytes, int | None] = {}
        for index, text in enumerate(tokenizer.token_bytes):
            written = tokenizer.token_name(index).encode() if text is None else text
            self._written.append(written)
            self._ids[written] = None if written in self._ids else index

    def context(self, ids: Sequence[int]) -> str | None:
        """The text that is read as these ids; None if there is none.

        What the tokenizer puts before every text is left out, for the server puts it there too.
        """
        for start in (1, 0):
            try:
                text = b"".join(self._written[i] for i in ids[start:]).decode()
            except UnicodeDecodeError:
                return None
            turn = Turn("user", (Part(text, trusted=True),))
            if text and self._tokenizer.encode_prompt(Prompt((turn,), chat=False)) == list(ids):
                return text
        return None

    def answer(self, entries: Iterable[Any], count: int) -> Answer:
        """The likeliest tokens of a reply; those that two ids may have written are left out.

        Args:
            entries: Each with `token`, `logprob` and, where the server says them, `bytes` or `id`.
            count: Number that was asked for.
        """
        found: dict[int, float] = {}
        left_out = False
        for entry in entries:
            index = self._id(entry)
            if index is None or index in found:
                left_out = True
            else:
                found[index] = logprob(member(entry, "logprob"))
        return Answer({}, list(found.items()), count + left_out)

    def _id(self, entry: Any) -> int | None:
        index = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(index, int) and 0 <= index < len(self._written):
            return index
        if entry.get("bytes"):
            return self._ids.get(bytes(entry["bytes"]))
        text = member(entry, "token")
        return None if REPLACEMENT in text else self._ids.get(text.encode())


class TextWire(Wire):
    """A kind of server whose contexts or tokens are texts, so that it needs a tokenizer first."""

    _texts: TokenTexts | None = None

    @property
    def texts(self) -> TokenTexts:
        """Texts of the tokenizer that the wire is bound to."""
        if self._texts is None:
            raise RuntimeError("bind the wire to a tokenizer first")
        return self._texts
