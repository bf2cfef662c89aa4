"""The bytes that each token of a tokenizers backend writes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from labelmass.errors import ModelError

BLANK = "\u2581"
"""SentencePiece's sign for a blank."""

BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
"""SentencePiece's sign for a byte that no piece covers."""


def token_bytes(
    vocabulary: Mapping[str, int],
    backend: Mapping[str, Any],
    control: Collection[int],
    added: Mapping[int, str],
) -> tuple[bytes | None, ...]:
    """Bytes by id; None for control tokens and for ids without a token.

    vocabulary: id by token, added tokens included.
    backend: the backend's settings; of use are its 'decoder' and its 'pre_tokenizer'.
    control: ids that write no text.
    added: text by id of tokens added outside the model's own vocabulary, or that also stand in it,
        as Gemma's runs of blanks do.

    Raises ModelError for a decoder that joins tokens in some other way.
    """
    kinds = {
        part.get("type") for key in ("decoder", "pre_tokenizer") for part in _parts(backend[key])
    }
    table: list[bytes | None] = [None] * (max(vocabulary.values(), default=-1) + 1)
    if "ByteLevel" in kinds:
        letters = byte_letters()
        for token, index in vocabulary.items():
            try:
                table[index] = token.translate(letters).encode("latin-1")
            except UnicodeEncodeError:
                table[index] = token.encode()
    elif kinds & {"Metaspace", "ByteFallback"} or BLANK in str(backend["decoder"]):
        added = {index: text.replace(BLANK, " ") for index, text in added.items()}
        fallback = "ByteFallback" in kinds
        for token, index in vocabulary.items():
            if fallback and (byte := BYTE.fullmatch(token)):
                table[index] = bytes.fromhex(byte[1])
            else:
                table[index] = token.replace(BLANK, " ").encode()
    else:
        raise ModelError(
            "the model's tokenizer is neither byte-level nor SentencePiece; "
            "its tokens cannot be mapped to bytes"
        )
    for index, text in added.items():
        table[index] = text.encode()
    for index in control:
        table[index] = None
    return tuple(table)


def byte_letters() -> dict[int, int]:
    """GPT-2's letter for each byte, turned round: code point of the letter to the byte."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    shifted = [byte for byte in range(256) if byte not in plain]
    return {byte: byte for byte in plain} | {256 + i: byte for i, byte in enumerate(shifted)}


def _parts(setting: Any) -> Iterator[Mapping[str, Any]]:
    """The steps of a decoder or pre-tokenizer, sequences opened up."""
    if setting is None:
        return
    yield setting
    for key in ("decoders", "pretokenizers"):
        for inner in setting.get(key, ()):
            yield from _parts(inner)
