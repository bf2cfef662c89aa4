"""TF-IDF of words and of character n-grams: the features that cost nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from labelmass._types import Floats
from labelmass.errors import FitError, LabelMassError
from labelmass.files import shaped
from labelmass.supervised.logistic import Features

KIND = "tfidf 1"

MAX_TERMS = 50_000
"""Terms of each kind, the commonest."""

SETTINGS: dict[str, dict[str, Any]] = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "sublinear_tf": True},
    "characters": {"analyzer": "char_wb", "ngram_range": (2, 5), "sublinear_tf": True},
}
"""Words and pairs of words; 2 to 5 characters within a word. Each kind is of unit length."""


@dataclass(frozen=True, eq=False)
class TfidfFeatures:
    """terms: by kind, in the order of the columns. idf: by kind, one a term."""

    terms: Mapping[str, tuple[str, ...]]
    idf: Mapping[str, Floats]

    method = "tfidf"
    standardise = False  # it would make sparse features dense, and rare terms loud
    strengths = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)

    @classmethod
    def fit(cls, texts: Sequence[str]) -> TfidfFeatures:
        """The terms that stand in two texts or more; FitError if there are none."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        terms, idf = dict[str, tuple[str, ...]](), dict[str, Floats]()
        for kind, settings in SETTINGS.items():
            vectorizer: Any = TfidfVectorizer(min_df=2, max_features=MAX_TERMS, **settings)
            try:
                vectorizer.fit(texts)
            except ValueError:
                raise FitError(
                    f"TF-IDF of {len(texts)} texts: no {kind} stand in two of them; take more"
                ) from None
            terms[kind], idf[kind] = tuple(vectorizer.get_feature_names_out()), vectorizer.idf_
        return cls(terms, idf)

    def __call__(self, texts: Sequence[str]) -> Features:
        """(n, d) sparse."""
        from scipy.sparse import hstack

        return hstack([vectorizer.transform(texts) for vectorizer in self._vectorizers]).tocsr()

    @cached_property
    def _vectorizers(self) -> list[Any]:
        from sklearn.feature_extraction.text import TfidfVectorizer

        results: list[Any] = []
        for kind, settings in SETTINGS.items():
            vectorizer: Any = TfidfVectorizer(vocabulary=self.terms[kind], **settings)
            vectorizer.idf_ = self.idf[kind]
            results.append(vectorizer)
        return results

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            **{
                kind: {"terms": list(self.terms[kind]), "idf": self.idf[kind].tolist()}
                for kind in SETTINGS
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TfidfFeatures:
        """Inverse of `to_dict`; raises FitError on other data."""
        terms, idf = dict[str, tuple[str, ...]](), dict[str, Floats]()
        for kind in SETTINGS:
            stored = shaped(dict[str, _Stored], {kind: data[kind]} if kind in data else {})
            if kind not in stored:
                raise LabelMassError(f"{kind} is missing")
            terms[kind], idf[kind] = stored[kind].terms, np.array(stored[kind].idf)
            if not len(set(terms[kind])) == len(terms[kind]) == len(idf[kind]) > 0:
                raise LabelMassError(f"{kind} must hold some terms, each once, and an idf for each")
        return cls(terms, idf)


@dataclass(frozen=True, slots=True)
class _Stored:
    """Stored terms of one kind."""

    terms: tuple[str, ...]
    idf: Sequence[float]
