"""Sentence embeddings by an encoder of the transformers library, as features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from labelmass.errors import ModelError
from labelmass.supervised.heads import STRENGTHS
from labelmass.supervised.logistic import Features

if TYPE_CHECKING:
    from labelmass.lm.encoder import TextEncoder

KIND = "sentences 1"


@dataclass(frozen=True)
class Sentences:
    """encoder: 'minilm' or a folder. fingerprint: of its files; None takes what is there."""

    encoder: str
    fingerprint: str | None = None

    method = "encoder"
    standardise = True
    strengths = STRENGTHS

    def __call__(self, texts: Sequence[str]) -> Features:
        """(n, d), each row of unit length."""
        return self.network(texts)

    @cached_property
    def network(self) -> TextEncoder:
        """Loaded when it is first asked for; ModelError if it is another than was fitted on."""
        try:
            from labelmass.lm.encoder import TextEncoder
        except ImportError as error:
            raise ModelError(
                f"the encoder {self.encoder} needs torch and transformers; "
                "run: pip install 'labelmass[transformers]'"
            ) from error
        found = TextEncoder.load(self.encoder)
        if self.fingerprint not in (None, found.fingerprint):
            raise ModelError(
                f"{self.encoder} holds the encoder {found.fingerprint}; the heads were fitted on "
                f"{self.fingerprint}: fit again, or put that encoder back"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        network = self.network
        return {
            "kind": KIND,
            "encoder": self.encoder,
            "fingerprint": network.fingerprint,
            "length": network.length,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Sentences:
        return cls(data["encoder"], data["fingerprint"])
