"""Contexts and tokens as text, for servers that take and give no token ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from labelmass.lm.base import Tokenizer
from labelmass.lm.servers.protocol import Answer, logprob, member
from labelmass.task.prompt import Part, Prompt, Turn


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
        """The likeliest tokens of a reply; those that two ids write are left out.

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
        written = member(entry, "token") if not entry.get("bytes") else bytes(entry["bytes"])
        return self._ids.get(written.encode() if isinstance(written, str) else written)
