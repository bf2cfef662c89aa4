"""After how many tokens each label is predicted, on answers written out by hand."""

from __future__ import annotations

import pytest

from labelmass.answers.automaton import ByteAutomaton
from labelmass.answers.prompt_boundary import PromptBoundary
from labelmass.answers.token_positions import label_token_positions
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.scoring.explorer import ExploredRecord
from labelmass.task import Record, Task
from labelmass.workflows.probing import explore_greedily

JSON = {"kind": "json", "key": "label"}
GUARD = {"kind": "guard"}
COMMA = {"kind": "comma"}


@pytest.mark.parametrize(
    ("form", "opening", "answer", "places"),
    [
        (JSON, "written", ['{"label": ["', "joy", '", "', "fe", "ar", '"', "]", "}"], (1, 3)),
        (JSON, "written", ['{"label": [', "]", "}"], (1,)),
        (JSON, "given", ['"', "joy", "ful", '"', "]", "}"], (1,)),
        (JSON, "given", ["]", "}"], (0,)),
        (GUARD, "written", ["unsafe", "\n", "joy", ",", "fear"], (2, 4)),
        (GUARD, "written", ["safe"], (0,)),
        (COMMA, "written", ["none"], (0,)),
        (COMMA, "written", ["joyful", ", ", "joy"], (0, 2)),
        (JSON, "written", ['{"label": ["', "sorrow"], (1,)),  # leaves the format after a token
        (COMMA, "written", ["sorrow"], (0,)),
        (GUARD, "written", ["unsafe", "\n", "sorrow"], (2,)),
    ],
)
def test_places(form: dict, opening: str, answer: list[str], places: tuple[int, ...]) -> None:
    task = Task(
        name="t",
        labels=["joy", "joyful", "fear"],
        format=form,
        instruction="?",
        chat=False,
        opening=opening,
    )

    def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
        return {answer[len(path)]: 1.0} if len(path) < len(answer) else {END: 1.0}

    model = ScriptedLanguageModel(script, list(dict.fromkeys(answer)))
    record = Record(1, text="x")
    ((_, explored),) = explore_greedily([(1, record)], model, task, 1)
    assert isinstance(explored, ExploredRecord)
    given = PromptBoundary(task, model.tokenizer).start(record).grammar.given
    automaton = ByteAutomaton(task.format, task.spellings)
    assert label_token_positions(explored.tree, automaton, given) == places
