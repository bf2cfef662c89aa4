"""What is trained on labelled records: features of a record, and a logistic regression a label."""

from __future__ import annotations

from labelmass.supervised.classifier import ABOUT, CLASSIFIERS, Classifier
from labelmass.supervised.heads import Head, LabelHeads, cross_fit_heads, fit_heads
from labelmass.supervised.sentences import Sentences
from labelmass.supervised.states import States
from labelmass.supervised.tfidf import Tfidf

__all__ = [
    "ABOUT",
    "CLASSIFIERS",
    "Classifier",
    "Head",
    "LabelHeads",
    "Sentences",
    "States",
    "Tfidf",
    "cross_fit_heads",
    "fit_heads",
]
