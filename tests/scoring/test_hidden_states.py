"""States of explored records, against the network's own on a tiny random Llama."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from labelmass.answers.automaton import ByteAutomaton
from labelmass.answers.prompt_boundary import PromptBoundary
from labelmass.answers.token_positions import label_token_positions
from labelmass.errors import FitError
from labelmass.lm.load import load
from labelmass.scoring.explorer import ExploredRecord
from labelmass.scoring.hidden_states import StateReader
from labelmass.supervised import HiddenStateFeatures
from labelmass.task import Record
from labelmass.workflows.probing import explore_greedily
from training.tiny_model import save_base, task

TEXTS = ["happy", "sad and loud, number 7", "calm " * 9, "x"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load(str(save_base(tmp_path_factory.mktemp("base"))), device="cpu", dtype="float32")


@pytest.mark.parametrize("layer", [-1, 1])
@pytest.mark.parametrize("steps", ["first", "each"])
def test_they_are_those_of_a_full_pass_over_prompt_and_answer(
    model: Any, layer: int, steps: str
) -> None:
    asked = task()
    records = [(i, Record(i, text=text)) for i, text in enumerate(TEXTS)]
    found = [one for _, one in explore_greedily(records, model, asked, 4)]
    explored = [one for one in found if isinstance(one, ExploredRecord)]
    assert len(explored) == len(TEXTS)
    joint = PromptBoundary(asked, model.tokenizer)
    automaton = ByteAutomaton(asked.format, asked.spellings)
    reader = StateReader(HiddenStateFeatures.of(model, asked.hash, layer, steps), asked, model)
    states = reader(explored)
    for one, state in zip(explored, states, strict=True):
        (alone,) = reader([one])
        assert state == pytest.approx(alone, abs=1e-5)
        start = joint.start(one.record)
        places = label_token_positions(one.tree, automaton, start.grammar.given)
        ids = [*start.ids, *(one.tree.token[node] for node in one.tree.greedy[1:])]
        ids = ids[: len(start.ids) + max(places)]
        with torch.inference_mode():
            output = model.network(torch.tensor([ids]), output_hidden_states=True)
        rows = output.hidden_states[layer][0].double().numpy()
        chosen = places[:1] if steps == "first" else places
        expected = np.mean([rows[len(start.ids) - 1 + place] for place in chosen], axis=0)
        assert state == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_states_of_another_dtype_or_task_are_refused(model: Any) -> None:
    states = HiddenStateFeatures.of(model, task().hash, -1, "first")
    with pytest.raises(FitError, match="task_hash"):
        StateReader(states, task(instruction="Which moods?"), model)
    with pytest.raises(FitError, match="steps is 'last'"):
        HiddenStateFeatures.of(model, task().hash, -1, "last")
