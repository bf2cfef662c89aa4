"""What is remembered of the ends of prompts is bounded, and changes nothing."""

from __future__ import annotations

from conftest import mood_model
from labelmass.answers.prompt_boundary import MAX_KEPT_TAILS, PromptBoundary
from labelmass.task import Record, Task


def test_prompts_that_end_in_their_texts_do_not_add_up(mood: Task) -> None:
    tokenizer = mood_model().tokenizer
    joint = PromptBoundary(mood, tokenizer)
    records = [Record(n, text=f"{n:0>12}") for n in range(2 * MAX_KEPT_TAILS)]
    starts = [joint.start(record) for record in records]
    assert len(joint._cuts) <= MAX_KEPT_TAILS
    again = PromptBoundary(mood, tokenizer)
    for record, start in zip(reversed(records), reversed(starts), strict=True):
        assert again.start(record).ids == start.ids
        assert joint.start(record).ids == start.ids
