"""Classifiers fitted on labelled records: features, and one logistic regression per label."""

from __future__ import annotations

from labelmass.supervised.classifier import ABOUT, CLASSIFIERS, Classifier
from labelmass.supervised.heads import LinearHead, LinearHeads, cross_fit_heads, fit_heads
from labelmass.supervised.hidden_state_features import HiddenStateFeatures
from labelmass.supervised.sentence_embeddings import SentenceEmbeddings
from labelmass.supervised.tfidf import TfidfFeatures

__all__ = [
    "ABOUT",
    "CLASSIFIERS",
    "Classifier",
    "HiddenStateFeatures",
    "LinearHead",
    "LinearHeads",
    "SentenceEmbeddings",
    "TfidfFeatures",
    "cross_fit_heads",
    "fit_heads",
]
