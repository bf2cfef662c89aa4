"""What a report warns of before its numbers are believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.reporting import gather
from labelmass.reporting.footnotes import warnings
from reporting.runs import make_run

TASK = """
name = "{name}"
labels = ["S1", "S2"]
instruction = "Which? {{labels}} none safe, or unsafe"
format = {format}
chat = false
"""


def warned(folder: Path, form: str, script: dict[str, dict[str, float]], *options: str) -> str:
    model = ScriptedLanguageModel(script, name="one")
    rows = [{"id": i, "text": str(i), "labels": ["S1"]} for i in range(3)]
    made = make_run(folder, TASK.format(name="task", format=form), rows, [model], *options)
    found = gather(made)
    return "\n".join(warnings(found))


def test_codes_that_cannot_be_read_are_warned_of(tmp_path: Path) -> None:
    script = {"": {"unsafe\nS9": 0.8, "safe": 0.2}, "safe": {END: 1.0}}
    found = warned(tmp_path, '"guard"', script)
    assert "80% of the mass is a risk verdict whose rest cannot be read" in found
    assert "unreadable (3 of 3)" in found  # the likeliest answers
    assert "leaves" not in found


@pytest.mark.parametrize(("none", "said"), [(0.1, True), (0.6, False)])
def test_labels_that_are_lost_are_warned_of(tmp_path: Path, none: float, said: bool) -> None:
    script = {"": {"S1!": 1 - none, "none": none}, "none": {END: 1.0}}
    found = warned(tmp_path, '"comma"', script)
    assert ("leaves the format after the text of a label" in found) == said


@pytest.mark.parametrize(("method", "said"), [("any-place", True), ("max-over-generations", False)])
def test_steps_that_the_run_was_not_explored_for_are_named(
    tmp_path: Path, method: str, said: bool
) -> None:
    script = {"": {"S1": 0.9, "S2": 0.1}, "S1": {END: 1.0}, "S2": {END: 1.0}}
    found = warned(tmp_path, '"comma"', script, "--method", method)
    assert ("is not shown" in found and "compare without --method" in found) == said
