"""A tokenizer's twin in which no text can spell a control token.

The twin is the same machine with its control tokens renamed to strings that nobody can guess. Where
a template writes structure, the new name is put; whatever else spells a control token is cut as the
tokenizer cuts a text that only looks like one. So a record that spells one is read like all others.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from labelmass.errors import ModelError

PRIVATE = range(0x100000, 0x10FFFE)
"""Code points of private use, which normalisers and pre-tokenizers leave alone."""

LETTERS = 8
"""Number of letters before the one that tells a name from the others: 127 random bits."""


class LiteralBackend:
    """The twin of a backend of the tokenizers library.

    control: id by text of the tokens that only `named` text may write.
    unusable: added tokens that nothing may write; their texts are plain text too.

    Raises ModelError where the renamed tokens would not keep their ids.
    """

    def __init__(
        self, backend: Any, control: Mapping[str, int], unusable: Collection[str] = ()
    ) -> None:
        settings: dict[str, Any] = json.loads(backend.to_str())
        texts = dict.fromkeys((*control, *unusable))
        secret = "".join(chr(secrets.choice(PRIVATE)) for _ in range(LETTERS))
        self._names = {
            text: secret + chr(PRIVATE.start + number) for number, text in enumerate(texts)
        }
        settings |= dict.fromkeys(("post_processor", "truncation", "padding"))
        for token in settings["added_tokens"]:
            token["content"] = self._names.get(token["content"], token["content"])
        _rename(settings["model"], self._names)
        self._backend: Any = type(backend).from_str(json.dumps(settings))
        for text, index in control.items():
            if self._backend.token_to_id(self._names[text]) != index:
                raise ModelError(
                    f"the tokenizer's control token {text!r} cannot be told from text that spells "
                    "it; labelmass cannot score with this tokenizer"
                )

    def named(self, text: str) -> str:
        """Stand-in for a control token in the text that `encode` takes."""
        return self._names[text]

    def encode(self, text: str) -> list[int]:
        """Ids of a text as it stands, with no BOS; control tokens only where they are `named`."""
        ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        return ids


def _rename(model: dict[str, Any], names: Mapping[str, str]) -> None:
    """Give tokens of a model's settings other names, and drop the merges that made them."""
    vocabulary: dict[str, int] | list[list[Any]] = model["vocab"]
    if isinstance(vocabulary, dict):
        model["vocab"] = {names.get(text, text): index for text, index in vocabulary.items()}
    else:
        model["vocab"] = [[names.get(text, text), score] for text, score in vocabulary]
    if (unknown := model.get("unk_token")) is not None:
        model["unk_token"] = names.get(unknown, unknown)
    if "merges" in model:
        inside = model.get("continuing_subword_prefix") or ""
        merges: Iterable[tuple[str, str]] = model["merges"]
        model["merges"] = [
            (left, right)
            for left, right in merges
            if names.keys().isdisjoint((left, right, left + right.removeprefix(inside)))
        ]
