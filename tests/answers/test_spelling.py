"""Labels as a tokenizer writes them: in its form, or not at all."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.answers.grammar import Vocabulary
from labelmass.answers.prompt_boundary import PromptBoundary
from labelmass.answers.spelling import as_written, spelling_of
from labelmass.errors import ModelError, TaskError
from labelmass.lm.tokenizer import HFTokenizer
from labelmass.task import Record, Task
from lm.tokenizer_families import family

PARTED = unicodedata.normalize("NFD", "café")


def task(labels: list[str], form: Any = "comma", **keys: Any) -> Task:
    return Task(
        name="t", labels=labels, instruction="{label_names}", format=form, chat=False, **keys
    )


def vocabulary(name: str) -> Vocabulary:
    return Vocabulary(HFTokenizer(family(name).tokenizer))


def test_labels_are_also_read_as_the_normaliser_writes_them() -> None:
    found = spelling_of(task([PARTED, "Joy", "sad"]), vocabulary("lower"))
    assert [forms[-1] for forms in found.labels] == ["café", "joy", "sad"]
    assert found.labels[1] == ("Joy", "joy") and found.labels[2] == ("sad",)
    found = spelling_of(task([PARTED, "Joy"]), vocabulary("qwen"))
    assert "café" in found.labels[0] and found.labels[1] == ("Joy",)


def test_the_format_s_words_are_those_of_the_normaliser() -> None:
    form = {"kind": "custom", "opening": "Moods: ", "empty": "None", "stops": ["\n\n"]}
    asked = task(["joy"], form, opening="given")
    found = spelling_of(asked, vocabulary("lower"))
    assert (found.format.opening, found.format.empty, found.given) == ("moods: ", "none", "moods: ")
    assert spelling_of(asked, vocabulary("qwen")).format == asked.format
    start = PromptBoundary(asked, HFTokenizer(family("lower").tokenizer)).start(Record(1, text="x"))
    assert start.grammar.automaton.parse("moods: joy\n\n") == [0]


@property_test(30)
@given(
    st.sampled_from(["qwen", "lower", "llama2", "gemma", "unigram_bytes", "prefix_space"]),
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Cn", "Co")), min_size=1),
)
def test_what_is_written_is_what_the_normaliser_makes(name: str, text: str) -> None:
    normaliser = family(name).tokenizer.backend_tokenizer.normalizer
    wanted = text
    if normaliser is not None:
        wanted = normaliser.normalize_str("~" + text).partition("~")[2].replace("▁", " ")
    elif name == "unigram_bytes":
        wanted = text.replace("▁", " ")
    assert as_written(text, vocabulary(name)) == wanted


def test_a_label_that_no_token_writes_is_named() -> None:
    words = vocabulary("unigram_pieces")
    with pytest.raises(TaskError, match=r"label '漢字' can never be.*'漢', '字'; give it a"):
        spelling_of(task(["joy", "漢字"]), words)
    coded = task([{"name": "漢字", "code": "S1"}, {"name": "joy", "code": "S2"}], write="code")
    assert spelling_of(coded, words).labels == (("S1",), ("S2",))
    assert spelling_of(task(["漢字"]), vocabulary("unigram_bytes")).labels == (("漢字",),)
    with pytest.raises(TaskError, match=r"format\.empty is '空', which can never be written"):
        spelling_of(task(["joy"], {"kind": "comma", "empty": "空"}), words)


def test_a_label_that_only_longer_tokens_write_is_no_error() -> None:
    """`q` stands in no token of its own; ` q` does, and a list may begin with a blank."""
    words = vocabulary("qwen")
    at = words.texts.index(b"q")
    words.texts[at] = b" q"
    order = sorted(range(len(words.texts)), key=lambda i: words.texts[i])
    words.texts, words.ids = [words.texts[i] for i in order], words.ids[order]
    words.bytes_of = [b" q" if text == b"q" else text for text in words.bytes_of]
    assert spelling_of(task(["q"]), words).labels == (("q",),)
    strict = {"kind": "custom", "blanks": "", "stops": ["."], "tolerate": "strict"}
    with pytest.raises(TaskError, match="'q' can never be written"):
        spelling_of(task(["q"], strict), words)


def test_labels_that_the_normaliser_makes_one_are_refused() -> None:
    with pytest.raises(TaskError, match=r"'Joy' and 'joy' are both written 'joy' by the model's"):
        spelling_of(task(["Joy", "joy"]), vocabulary("lower"))
    with pytest.raises(TaskError, match=r"format\.empty and 'None' are both written 'none'"):
        spelling_of(task(["None", "joy"]), vocabulary("lower"))
    assert spelling_of(task(["Joy", "joy"]), vocabulary("qwen")).labels == (("Joy",), ("joy",))


def test_a_template_that_refuses_the_task_is_found_before_any_record() -> None:
    words = family("qwen").tokenizer
    words.chat_template = "Assess the conversation."
    asked = Task(name="t", labels=["joy"], instruction="?", format="comma")
    with pytest.raises(ModelError, match="leaves out what the user says; set chat = false"):
        PromptBoundary(asked, HFTokenizer(words))
