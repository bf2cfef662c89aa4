"""Defects of the released code (docs/formulas.md): ours is right, the published rule is not."""

from __future__ import annotations

import pytest

from analysis.scripted_lists import LABELS, answer_of, tree_of, writes
from labelmass.analysis import Item, Share, diagnose
from labelmass.analysis.outputs import multi_label
from labelmass.analysis.ranking import never_predicted
from labelmass.task import Task


def test_none_as_runner_up_is_not_never_predicted() -> None:
    answers = [
        answer_of(writes("joy", "anger", second=["none"])),
        answer_of(writes("joy", "anger", "fear", second=["fear"])),
    ]
    found = never_predicted(answers)
    assert found.published == Share(1, 2)
    assert (found.corrected, found.empty, found.written) == (Share(0, 1), 1, 0)


def test_a_label_written_before_is_not_predicted() -> None:
    answers = [
        answer_of(writes("joy", "anger", "fear", second=["", "joy"])),
        answer_of(writes("joy", "anger", second=["fear"])),
    ]
    found = never_predicted(answers)
    assert found.published == Share(1, 2)  # joy stands in the answer, before the step
    assert (found.corrected, found.empty, found.written) == (Share(1, 1), 0, 1)


def test_what_a_broken_answer_would_have_written_is_not_known() -> None:
    broken = tree_of(
        {(): {"joy": 0.8, "fear": 0.2}, ("joy",): {"anger": 1.0}, ("joy", "anger"): {}},
        {("joy",): 0.2, ("joy", "anger"): 0.2},
    )
    found = never_predicted([answer_of(broken)])
    assert (found.steps, found.unfinished) == (0, 2)
    assert found.published == found.corrected == Share(0, 0)


def test_a_repeat_is_no_second_label() -> None:
    answers = [answer_of(writes("joy", "joy")), answer_of(writes("joy"))]
    found = multi_label(answers)
    assert (found.rate, found.published) == (Share(0, 2), Share(1, 2))


@pytest.mark.parametrize(("k", "share"), [(50, 0.58), (10, 0.6), (10, 0.2)])
def test_the_share_of_demonstrations_is_rounded_not_cut(k: int, share: float) -> None:
    """int(.58 * 50) is 28, and int((1 - .8) * 10) is 1."""
    pool = [{"text": f"{i}", "labels": LABELS[: 1 + i % 2]} for i in range(2 * k)]
    task = Task(
        name="mood",
        labels=list(LABELS),
        instruction="Which?",
        format="comma",
        demonstrations={"examples": pool, "k": k, "multi_share": share},
    )
    shown = tuple(each.labels for each in task.demonstrations.choose(task.seed))
    found = diagnose([Item(writes("joy"), None, LABELS, shown)]).multi_label
    assert found.demonstrations == Share(round(share * k), k)
    assert found.demonstrations.value == pytest.approx(share)
