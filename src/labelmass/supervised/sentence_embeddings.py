"""Sentence embeddings by an encoder of the transformers library, as features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelmass.errors import ModelError
from labelmass.files import shaped
from labelmass.supervised.heads import STRENGTHS
from labelmass.supervised.logistic import Features

if TYPE_CHECKING:
    from labelmass.lm.encoder import TextEncoder

KIND = "sentences 1"


@dataclass(frozen=True)
class SentenceEmbeddings:
    """encoder: 'minilm' or a folder. fingerprint: of its files. length: most tokens it reads."""

    encoder: str
    fingerprint: str
    length: int

    method = "encoder"
    standardise = True
    strengths = STRENGTHS

    @classmethod
    def of(cls, encoder: str) -> SentenceEmbeddings:
        """Features of an encoder, a folder by its full path; ModelError if there is none."""
        network = _load(encoder)
        if Path(encoder).is_dir():
            encoder = str(Path(encoder).resolve())
        result = cls(encoder, network.fingerprint, network.length)
        result.__dict__["network"] = network
        return result

    def __call__(self, texts: Sequence[str]) -> Features:
        """(n, d), each row of unit length."""
        return self.network(texts)

    @cached_property
    def network(self) -> TextEncoder:
        """Loaded when it is first asked for; ModelError if it is another than was fitted on."""
        result = _load(self.encoder)
        if self.fingerprint != result.fingerprint:
            raise ModelError(
                f"{self.encoder} holds the encoder {result.fingerprint}; the heads were fitted on "
                f"{self.fingerprint}: fit again, or put that encoder back"
            )
        return result

    def to_dict(self) -> dict[str, Any]:
        return {"kind": KIND, **asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SentenceEmbeddings:
        """Inverse of `to_dict`; raises LabelMassError on other data."""
        return shaped(cls, data)


def _load(encoder: str) -> TextEncoder:
    try:
        from labelmass.lm.encoder import TextEncoder
    except ImportError as error:
        raise ModelError(
            f"the encoder {encoder} needs torch and transformers; "
            "run: pip install 'labelmass[transformers]'"
        ) from error
    return TextEncoder.load(encoder)
