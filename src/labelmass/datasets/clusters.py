"""Clusters of records: the same group, or nearly the same text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.intp]

GRAMS = (3, 5)
"""Lengths of the character n-grams, taken inside words; case is ignored."""

BLOCK = 256
"""Texts compared with all others at once."""

RULE = (
    f"TF-IDF of character {GRAMS[0]}- to {GRAMS[1]}-grams inside words, lower case; texts whose "
    "cosine is at least the threshold are neighbours, and whatever neighbours join is one cluster"
)


def near_duplicates(texts: Sequence[str], threshold: float) -> Ids:
    """(n,) cluster of each text; see RULE. Clusters are numbered by their first text.

    threshold: cosine, above 0 and at most 1. Takes time as the square of the number of texts.
    """
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import TfidfVectorizer

    # Equal texts are one column: copies are common and would make the product dense.
    distinct = sorted(set(texts))
    index = {text: number for number, text in enumerate(distinct)}
    where = np.array([index[text] for text in texts], dtype=np.intp)
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=GRAMS, dtype=np.float64)
    grams: Any = csr_array(vectors.fit_transform(distinct))
    rows: list[Ids] = []
    columns: list[Ids] = []
    for start in range(0, len(distinct), BLOCK):
        close = (grams[start : start + BLOCK] @ grams[start:].T).tocoo()
        near = (
            close.data >= threshold - 1e-9
        )  # equal vectors have a cosine of 1 except for rounding
        rows.append(close.row[near] + start)
        columns.append(close.col[near] + start)
    return _numbered(
        _components(np.concatenate(rows), np.concatenate(columns), len(distinct))[where]
    )


def joined(first: Ids, second: Ids) -> Ids:
    """(n,) the finest clusters that neither (n,) of these cuts."""
    offset = len(first)
    records = np.arange(offset)
    ends = np.concatenate([first + offset, second + 2 * offset])
    result = _components(np.concatenate([records, records]), ends, 3 * offset)
    return _numbered(result[:offset])


def numbered(names: Sequence[object]) -> Ids:
    """(n,) equal names get equal numbers, by their first place."""
    places: dict[object, int] = {}
    return np.array([places.setdefault(name, len(places)) for name in names], dtype=np.intp)


def _numbered(clusters: Ids) -> Ids:
    return numbered(clusters.tolist())


def _components(rows: Ids, columns: Ids, size: int) -> Ids:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(size, size))
    return np.asarray(connected_components(links.tocsr(), directed=False)[1], dtype=np.intp)
