"""Chat templates of guards, told from those of assistants by what they write around a user turn."""

from __future__ import annotations

from typing import Any

import pytest

import labelmass
from labelmass import LabelMassWarning
from labelmass.lm.guard_template import wraps_in_guard
from labelmass.lm.scripted import ScriptedLanguageModel, ScriptedTokenizer
from labelmass.lm.tokenizer import HFTokenizer
from labelmass.scoring.warnings import scoring_warnings
from labelmass.task import Task
from training.tiny_model import tokenizer

TURNS = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
REPLY = "{{ '<|im_start|>assistant\\n' }}"
SYSTEM = "<|im_start|>system\n{}<|im_end|>\n"

GUARDS = {
    "conversation between markers, question behind": (
        "<|im_start|>user\nTask: Check if there is unsafe content in 'User' messages.\n"
        "<BEGIN UNSAFE CONTENT CATEGORIES>\nS1: Crimes.\n<END UNSAFE CONTENT CATEGORIES>\n"
        "<BEGIN CONVERSATION>{% for m in messages %}User: {{ m.content }}{% endfor %}"
        "<END CONVERSATION>\nGive your safety assessment for the last User message:<|im_end|>\n"
        + REPLY
    ),
    "one principle, question behind": (
        "<|im_start|>user\nHuman Question: {{ messages[0].content }}\nOur principle: no harmful "
        "text. Does the question violate the policy? Begin with Yes or No.<|im_end|>\n" + REPLY
    ),
    "all of it before": (
        SYSTEM.format("You classify what users write as safe or harmful, by these categories: S1.")
        + TURNS
        + REPLY
    ),
}
ASSISTANTS = {
    "ChatML": TURNS + REPLY,
    "ChatML with a system prompt": SYSTEM.format("You are a helpful assistant.") + TURNS + REPLY,
    "a careful system prompt": SYSTEM.format(
        "You are a helpful, respectful and honest assistant. Answer as helpfully as possible, "
        "while being safe. Answers should not include any harmful, unethical or illegal content, "
        "and follow the safety policy. If a question makes no sense, explain why."
    )
    + TURNS
    + REPLY,
    "Llama 3": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: "
        "December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|>{% for m in messages %}"
        "<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>"
        "{% endfor %}<|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "Gemma": (
        "{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content | trim }}<end_of_turn>\n"
        "{% endfor %}<start_of_turn>model\n"
    ),
    "Mistral": "{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}",
    "Alpaca": (
        "Below is an instruction that describes a task.\n\n### Instruction:\n"
        "{{ messages[0].content }}\n\n### Response:\n"
    ),
    "thinking is closed": TURNS + REPLY + "<think>\n\n</think>\n\n",
    "harmony": (
        "<|start|>system<|message|>Reasoning: medium. # Valid channels: analysis, final.<|end|>"
        "{% for m in messages %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endfor %}"
        "<|start|>assistant"
    ),
    "no single user turn": "{{ raise_exception('system first') }}",
}


def with_template(template: str | None) -> HFTokenizer:
    words = tokenizer()
    words.chat_template = template
    return HFTokenizer(words)


@pytest.mark.parametrize("name", GUARDS)
def test_a_guard_is_told(name: str) -> None:
    assert wraps_in_guard(with_template(GUARDS[name]))


@pytest.mark.parametrize("name", ASSISTANTS)
def test_an_assistant_is_none(name: str) -> None:
    assert not wraps_in_guard(with_template(ASSISTANTS[name]))


def test_no_template_is_none() -> None:
    assert not wraps_in_guard(with_template(None))
    assert not wraps_in_guard(ScriptedTokenizer(["a"]))


class Wrapped(ScriptedTokenizer):
    """Text as it is, or inside the guard's instruction."""

    has_chat_template = True

    def render_prompt(self, prompt: Any) -> str:
        text = super().render_prompt(prompt)
        asked = "Is it unsafe by the categories of our safety policy? Say yes or no."
        return f"User: {text}\n{asked}" if prompt.chat else text


def test_the_warning_names_model_task_and_way_out() -> None:
    model = ScriptedLanguageModel({"": {"safe": 1.0}, "safe": {"<end>": 1.0}}, name="my-guard")
    model.tokenizer = Wrapped(model.tokens)
    preset = Task.load("llama-guard-3").with_options(k=0)
    (warning,) = scoring_warnings(preset, model)
    assert "my-guard" in warning and "'llama-guard-3'" in warning and "chat = false" in warning
    assert scoring_warnings(preset.with_options(chat=False), model) == ()
    with pytest.warns(LabelMassWarning, match="guard's own"):
        labelmass.score(["x"], preset, model)
