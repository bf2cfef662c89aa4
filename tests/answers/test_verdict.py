"""What a guard's verdict means, whatever follows it."""

from __future__ import annotations

import pytest

from growing import grow
from labelmass.answers.readings import Readings
from labelmass.answers.search import Budget
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.task.formats import comma_list, guard


def test_what_cannot_be_read_and_whether_a_verdict_is_given() -> None:
    model = ScriptedLanguageModel(
        {
            "": {"unsafe": 0.6, "safe": 0.3, "!": 0.1},
            "unsafe": {"\n": 1.0},
            "unsafe\n": {"S1": 0.5, "S99": 0.5},
            "unsafe\nS1": {"<end>": 1.0},
            "safe": {"<end>": 1.0},
        }
    )
    reading = Readings(grow(model, guard(), ["S1"], Budget(tolerance=0.0)))
    assert reading.unreadable == pytest.approx(0.3)
    assert reading.verdict is not None
    assert (reading.verdict.low, reading.verdict.high) == pytest.approx((0.9, 0.9))


def test_a_format_without_a_verdict_has_neither() -> None:
    model = ScriptedLanguageModel({"": {"joy": 0.6, "!": 0.4}, "joy": {"<end>": 1.0}})
    reading = Readings(grow(model, comma_list(), ["joy"], Budget(tolerance=0.0)))
    assert (reading.unreadable, reading.verdict) == (0.0, None)
