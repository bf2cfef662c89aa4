"""What scores tell their reader in sentences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import labelmass
from labelmass import Failure, Scores, Signature, Targets

PROMPT = "comma answers, plain text, 6 demonstrations"


@pytest.fixture
def scores() -> Scores:
    """Raw scores of two records by a prompt that was chosen for the model."""
    signature = Signature.read({"methods": ["any-place"], "prompt": PROMPT, "model": "a model"})
    made = Scores.of(["a", "b"], ["joy"], np.array([[0.2], [0.3]]), method="any-place")
    return replace(made, signature=signature, off_format=np.array([0.1, 0.2]))


def test_the_prompt_comes_first_and_the_next_step_last(scores: Scores) -> None:
    first, last = scores.notices
    assert first == f"prompt: {PROMPT}; off-format 0.15 on average"
    assert last.startswith("next: labelmass.calibrate(scores, targets)")


def test_scores_show_the_prompt(scores: Scores) -> None:
    assert repr(scores) == f"Scores(2 records, 1 labels, by any-place; prompt: {PROMPT})"
    assert all(notice in scores._repr_html_() for notice in scores.notices)


def test_much_mass_outside_the_format_is_said_of_raw_scores(scores: Scores) -> None:
    much = replace(scores, off_format=np.array([0.9, np.nan]))
    assert "90% of the mass is outside the answer format" in much.notices[1]
    assert scores.signature is not None
    within = replace(scores.signature, normalisation="on-format")
    assert len(replace(much, signature=within).notices) == 2


def test_failures_are_counted(scores: Scores) -> None:
    failed = replace(scores, failures=(Failure("b", "too long"),))
    assert "1 of 2 records failed" in failed.notices


def test_calibrated_scores_have_no_next_step(scores: Scores) -> None:
    records = [{"id": name, "labels": ["joy"] * (name > 4)} for name in range(8)]
    p = np.linspace(0.1, 0.8, 8)[:, None]
    made = replace(Scores.of(range(8), ["joy"], p, method="any-place"), signature=scores.signature)
    calibrator = labelmass.calibrate(made, Targets.from_records(records, ["joy"])).calibrator
    assert made.notices[-1].startswith("next:")
    assert not any(notice.startswith("next:") for notice in made.through(calibrator).notices)


def test_scores_of_another_system_say_nothing() -> None:
    scores = Scores.of(["a"], ["joy"], np.array([[0.25]]))
    assert scores.notices == () and repr(scores) == "Scores(1 records, 1 labels, by scores)"
