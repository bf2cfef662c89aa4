"""A control token that ends a turn, and that no list of ends names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import transformers

import labelmass
from labelmass.answers.tree import AnswerTree
from labelmass.lm.tokenizer import HFTokenizer
from labelmass.lm.transformers import TransformersModel
from labelmass.scores import Result
from labelmass.task import Task
from lm.tokenizer_families import family, network

TASK = Task(name="t", labels=["joy", "fear"], instruction="{label_names}", format="comma")


class Forgetful(HFTokenizer):
    """Knows no end of a turn but the one it is given."""

    def __init__(self, tokenizer: Any, ends: Iterable[int]) -> None:
        super().__init__(tokenizer)
        self.end_ids = frozenset(ends)


def result(ends: Iterable[int], **options: Any) -> Result:
    words = family("gemma")
    chat = words.tokenizer.apply_chat_template(
        [{"role": "user", "content": "joy, fear\n\nThe soup was cold."}],
        add_generation_prompt=True,
        return_dict=False,
    )
    taught = [(list(chat), [*words.tokenizer.encode(word)[1:], 4]) for word in ("joy", "none")]
    tokenizer = Forgetful(words.tokenizer, ends)
    model = TransformersModel(network(words, taught), tokenizer, name="gemma")
    (found,) = labelmass.score(["The soup was cold."], TASK, model, **options, keep_trees=True)
    assert isinstance(found, Result)
    return found


def test_the_warning_names_the_token() -> None:
    forgetful, right = result([2]), result([2, 4])
    assert right["joy"].p > 0.4 and right.empty_answer.p > 0.4 and not right.warnings  # type: ignore[union-attr, operator]
    assert forgetful["joy"].p < 0.1  # type: ignore[operator]
    (told,) = forgetful.warnings
    assert "of the mass goes to the control token <end_of_turn> where the answer could end" in told
    again = AnswerTree.from_dict(forgetful.tree.to_dict())
    assert again.stray_ends == forgetful.tree.stray_ends != {}


def test_trees_of_earlier_versions_have_no_stray_ends() -> None:
    saved = result([2]).tree.to_dict()
    del saved["stray_ends"]
    assert AnswerTree.from_dict(saved).stray_ends == {}


@pytest.mark.parametrize("form", ["one", "list", "both"])
def test_a_folder_s_ends_are_those_of_all_its_files(tmp_path: Any, form: str) -> None:
    words = family("llama2_plain")
    net = network(words, [([5, 6], [7])])
    net.config.eos_token_id = {"one": 4, "list": [4, 5], "both": 4}[form]
    net.generation_config.eos_token_id = {"one": None, "list": [5], "both": [6, 7]}[form]
    net.save_pretrained(tmp_path)
    words.tokenizer.save_pretrained(tmp_path)
    expected = {"one": {2, 4}, "list": {2, 4, 5}, "both": {2, 4, 6, 7}}[form]
    model = labelmass.load(str(tmp_path), device="cpu")
    assert model.tokenizer.end_ids == expected


def test_a_template_s_end_is_found_where_a_folder_names_another(tmp_path: Any) -> None:
    words = family("gemma")
    net = network(words, [([5, 6], [7])])
    net.generation_config = transformers.GenerationConfig(eos_token_id=2)
    net.save_pretrained(tmp_path)
    words.tokenizer.save_pretrained(tmp_path)
    assert labelmass.load(str(tmp_path), device="cpu").tokenizer.end_ids == {2, 4}
