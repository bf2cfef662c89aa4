"""Attention read again off saved trees: which tokens, and by which model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from labelmass.errors import LabelMassError, ModelError
from labelmass.lm.scripted import END, ScriptedLanguageModel
from labelmass.scoring.plan import Plan
from labelmass.scoring.saved_trees import SavedTrees, TreeStore
from labelmass.scoring.scorer import Scorer
from labelmass.task import Record, Task
from labelmass.workflows.analysis import analyse
from labelmass.workflows.attention import attention_weights

TASK = Task(
    name="three",
    labels=["joy", "joyful", "fear"],
    format={"kind": "json", "key": "label"},
    instruction="{label_names}",
    chat=False,
)
TOKENS = ['{"label": ["', "joy", "ful", '", "', "fe", "ar", '"', "]", "}"]
ANSWERS = {"two": ['{"label": ["', "joy", "ful", '", "', "fe", "ar", '"', "]", "}"], "one": None}


class Looking(ScriptedLanguageModel):
    """Position i of the answer looks at the token before it alone."""

    def attention(self, prompt: Sequence[int], answer: Sequence[int]) -> np.ndarray:
        return np.eye(len(answer), len(prompt) + len(answer), len(prompt) - 1)


def script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    answer = ANSWERS["two" if "two" in prompt else "one"] or ['{"label": ["', "joy", '"', "]", "}"]
    return {answer[len(path)]: 1.0} if len(path) < len(answer) else {END: 1.0}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    model = Looking(script, TOKENS)
    plan = Plan(TASK, ["any-place"], every_method=True)
    store = TreeStore(tmp_path, TASK, plan.signature(model))
    records = [(i, Record(i, text=text)) for i, text in enumerate(["two", "one", "two"], start=1)]
    list(Scorer.of_plan(plan, model).run(records, store=store))
    store.close()
    return tmp_path


def test_first_tokens_are_those_that_hold_the_first_byte(saved: Path) -> None:
    found = list(attention_weights(SavedTrees(saved), Looking(script, TOKENS)))
    assert [one.firsts for one in found] == [(1, 4), (1, 4)]  # answers of one label are left out
    assert found[0].weights.shape[1] == found[0].prompt + len(found[0].weights)


def test_it_joins_the_other_analyses(saved: Path) -> None:
    (one,) = analyse([saved], model=Looking(script, TOKENS))
    attention = one.diagnosis.attention
    assert attention is not None
    # row 3 predicts "fe" and looks at token 2: not at the prompt, not at "joy", 1 of 3 tokens
    assert (attention.answers, attention.input.mean, attention.labels.mean) == (2, 0, 0)
    assert attention.answer.mean == pytest.approx(100 / 3)
    assert one.to_dict()["attention"]["input_total"]["n"] == 2
    (without,) = analyse([saved])
    assert "ask for them" in without.to_dict()["attention"]["reason"]


def test_another_model_is_refused(saved: Path) -> None:
    other = Looking(script, TOKENS)
    other.fingerprint = "other"
    with pytest.raises(LabelMassError, match="scored none of these runs"):
        analyse([saved], model=other)
    with pytest.raises(ModelError, match="does not give attention"):
        analyse([saved], model=ScriptedLanguageModel(script, TOKENS))
