"""Texts that are too long: what of them a prompt shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from labelmass.errors import RecordError
from labelmass.lm.base import Tokenizer
from labelmass.task.record import Cut, Record


def cut_texts(record: Record, tokenizer: Tokenizer, tokens: int) -> Record:
    """The record with each of its texts, a message being one, shown up to `tokens` tokens.

    Beginnings are kept. The record stays what it is: its digest, and what is written of its input,
    are those of the whole texts; `Record.cuts` says what is left out of the prompt.
    RecordError where that leaves blanks alone.
    """
    cuts = tuple(_cuts(record, tokenizer, tokens))
    if not cuts:
        return record
    for cut in cuts:
        if not record.texts[cut.key][: cut.characters].strip():
            raise RecordError(f"{cut.key} shows nothing in its first {tokens} tokens: show more")
    return replace(record, cuts=cuts)


def _cuts(record: Record, tokenizer: Tokenizer, tokens: int) -> Iterator[Cut]:
    for key, text in record.texts.items():
        if len(text.encode()) <= tokens:  # no token writes less than a byte
            continue
        ids = tokenizer.encode(text)
        if len(ids) > tokens:
            kept = beginning(text, ids, tokenizer, tokens)
            yield Cut(key, len(kept), len(tokenizer.encode(kept)), len(ids))


def beginning(text: str, ids: list[int], tokenizer: Tokenizer, tokens: int) -> str:
    """Longest beginning of a text that is at most `tokens` tokens.

    ids: those of the text. A tokenizer may read a beginning otherwise than the whole, or change the
    text as it reads it: then what fits is searched for.
    """
    table = tokenizer.token_bytes
    for count in range(tokens, 0, -1):
        written = b"".join(table[i] or b"" for i in ids[:count])
        kept = written.decode(errors="ignore") if text.encode().startswith(written) else ""
        if not kept:
            break
        if len(tokenizer.encode(kept)) <= tokens:
            return kept
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if len(tokenizer.encode(text[:middle])) <= tokens:
            fits = middle
        else:
            too_long = middle
    return text[:fits]
