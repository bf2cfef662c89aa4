"""The sentence encoder on real weights."""

from __future__ import annotations

import numpy as np
import pytest

from labelmass.lm.encoder import TextEncoder
from labelmass.supervised import SentenceEmbeddings, fit_heads

pytestmark = pytest.mark.encoder

CATS = ["A cat sits on the mat.", "The kitten sleeps on a rug.", "Our cat chased a mouse."]
BANKS = ["The bank raised its rates.", "Shares fell after the report.", "Inflation is slowing."]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder.load("minilm")


def test_texts_of_one_topic_are_nearer_than_texts_of_two(encoder: TextEncoder) -> None:
    vectors = encoder([*CATS, *BANKS])
    assert vectors.shape == (6, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    near = vectors @ vectors.T
    within = [near[i, j] for i in range(6) for j in range(i) if (i < 3) == (j < 3)]
    across = [near[i, j] for i in range(3) for j in range(3, 6)]
    assert min(within) > max(across)


def test_a_text_has_one_vector_in_any_company(encoder: TextEncoder) -> None:
    together = encoder([*CATS, "word " * 400])
    alone = np.concatenate([encoder([text]) for text in CATS])
    assert np.abs(together[:3] - alone).max() < 1e-5
    # what is beyond its length is not read
    assert np.allclose(encoder(["word " * 400])[0], encoder(["word " * 500])[0])


def test_heads_on_it_tell_topics_apart() -> None:
    features = SentenceEmbeddings.of("minilm")
    shares = np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 3)
    groups = [str(n) for n in range(6)]
    heads = fit_heads(("cats", "banks"), features([*CATS, *BANKS]), shares, groups)
    found = heads(features(["A cat purrs.", "The central bank cut interest rates."]))
    assert found[0, 0] > found[1, 0] and found[1, 1] > found[0, 1]
