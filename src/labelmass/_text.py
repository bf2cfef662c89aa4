"""Text as people read it: one Unicode form, and which of several names is meant.

The same characters can be stored in several ways: "é" is one code point, or an "e" and a combining
accent. Names are compared in normalisation form C (NFC) and shown as they were written.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable


def canonical(text: str) -> str:
    """The text in NFC: two texts that people read as the same characters become equal."""
    return unicodedata.normalize("NFC", text)


def caseless(text: str) -> str:
    """The text in NFC with case taken away: equal for texts that differ in case alone."""
    return canonical(unicodedata.normalize("NFD", text).casefold())


def find(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that reads as `name`, itself first; None if there is none."""
    names = list(names)
    if name in names:
        return name
    wanted = canonical(name)
    return next((one for one in names if canonical(one) == wanted), None)


def quoted(name: str, other: str) -> str:
    """`name` as an error shows it beside `other`: in escapes where both would look the same."""
    return ascii(name) if name != other and canonical(name) == canonical(other) else repr(name)


def nearest(word: str, words: Iterable[str]) -> str:
    """`: did you mean 'joy'?` for the word of `words` most like `word`, else ``.

    A word that differs only in case, blanks or characters that cannot be seen comes first.
    """
    words = list(words)
    wanted = _folded_loosely(word)
    results = [one for one in words if _folded_loosely(one) == wanted]
    results = results or difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f": did you mean {results[0]!r}?" if results else ""


def _folded_loosely(text: str) -> str:
    """The text without case, compatibility forms, invisible characters and its kinds of blank."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    seen = "".join(char for char in plain if unicodedata.category(char) != "Cf")
    return " ".join(seen.split())


_PICTURES = {
    **{code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n\r"},
    127: 0x2421,
    0xFFFE: 0xFFFD,
    0xFFFF: 0xFFFD,
}


def printable(text: str) -> str:
    """The text with the characters that neither HTML nor SVG can hold shown by their pictures."""
    return text.translate(_PICTURES)
