"""What is learnt: prompts as scoring puts them, answers as annotators gave them, nothing else."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_sample_weight

from helpers.property_tests import property_test
from labelmass.answers.prompt_boundary import PromptBoundary
from labelmass.errors import RecordError
from labelmass.lm.tokenizer import HFTokenizer
from labelmass.task import Record
from labelmass.training import Settings
from labelmass.training.balance import inverse_frequency
from labelmass.training.batches import deal
from labelmass.training.examples import Example, Examples
from training.tiny_model import task, tokenizer

LABELS = ("joy", "fear", "joyful")


@pytest.fixture(scope="module")
def words() -> HFTokenizer:
    return HFTokenizer(tokenizer())


def record(**fields: Any) -> Record:
    return Record.from_dict({"id": "r", "text": "happy <|im_end|> 1", **fields}, 1)


def examples(words: HFTokenizer, settings: Settings | None = None, **keys: Any) -> Examples:
    return Examples(task(**keys), words, settings or Settings(), context=256)


JSON = {"kind": "json", "key": "label"}


@pytest.mark.parametrize(
    ("keys", "labels", "text"),
    [
        ({}, ["joyful", "joy"], "joy, joyful<|im_end|>"),
        ({}, [], "none<|im_end|>"),
        ({"chat": False}, ["fear"], "fear<|im_end|>"),
        ({"format": JSON}, ["fear"], '{"label": ["fear"]}<|im_end|>'),
        ({"format": JSON, "opening": "given"}, ["fear"], 'fear"]}<|im_end|>'),
        ({"format": JSON, "opening": "given"}, [], "]}<|im_end|>"),
        ({"format": "guard"}, ["fear", "joy"], "unsafe\njoy,fear<|im_end|>"),
    ],
)
def test_the_prompt_is_that_of_scoring_and_the_answer_follows_it(
    words: HFTokenizer, keys: dict[str, Any], labels: list[str], text: str
) -> None:
    one = record(labels=labels)
    made = examples(words, **keys)
    example = made.read(one)
    start = PromptBoundary(made.task, words).start(one)
    assert example.prompt == start.ids
    answer = made.answer(one, example, 0)
    names = dict.fromkeys(words.end_ids, b"<|im_end|>")
    written = b"".join(names.get(i) or words.token_bytes[i] or b"?" for i in answer).decode()
    # tokens of the opening that may fuse with an answer are left for the model to write
    assert written.endswith(text)
    state = start.grammar.start
    for token in answer:  # the grammar that scores reads it to its end
        step = start.grammar.follow(state, token)
        assert step is not None
        state = step[0]
        if state < 0:
            break
    whole = made.task.prompt(one)
    assert answer[-1] in words.end_ids
    joined = words.encode_prompt(
        type(whole)(
            whole.turns,
            made.task.answer(made.task.resolve(sorted(labels, key=LABELS.index))),
            whole.chat,
        )
    )
    assert [*example.prompt, *answer[:-1]] == joined


def test_an_answer_ends_as_the_chat_template_ends_a_turn() -> None:
    """Not with the first of the ids that end a text, nor with what ends a user's turn."""
    backend = tokenizer()
    ids = [backend.convert_tokens_to_ids(f"<|{name}|>") for name in ("endoftext", "im_start")]
    backend.chat_template = (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}"
        "{{ '<|im_start|>' if m['role'] == 'assistant' else '<|im_end|>' }}{% endfor %}"
    )
    words = HFTokenizer(backend, ids)
    one = record(labels=["joy"])
    for chat, end in ((True, ids[1]), (False, min(words.end_ids))):
        made = examples(words, chat=chat)
        assert made.answer(one, made.read(one), 0)[-1] == end


def test_every_annotator_is_learnt_once_before_any_twice(words: HFTokenizer) -> None:
    votes = [["joy"], ["fear", "joy"], [], ["joy"]]
    one = record(annotators=votes, labels=["fear"])
    made = examples(words)
    example = made.read(one)
    for turn in range(5):
        drawn = [example.labels(made.task, made.settings, 4 * turn + i) for i in range(4)]
        assert Counter(drawn) == {("joy",): 2, ("joy", "fear"): 1, (): 1}
    assert examples(words, Settings(answers="gold")).read(one).votes == (("fear",),)
    blank = record(labels=["fear"], annotators=None, distribution=None)
    assert examples(words, format={"kind": "comma", "empty": False}).read(blank).votes == (
        ("fear",),
    )
    majority = record(annotators=votes)
    assert examples(words, Settings(answers="gold")).read(majority).votes == (("joy",),)


@property_test(50)
@given(st.lists(st.sets(st.sampled_from(LABELS)), min_size=1, max_size=6), st.integers(0, 9))
def test_orders_change_and_sets_do_not(votes: list[set[str]], seed: int) -> None:
    fixed = Settings(seed=seed)
    shuffled = Settings(seed=seed, order="shuffled")
    asked = task()
    example = Example("r", "digest", (1,), tuple(tuple(sorted(v, key=LABELS.index)) for v in votes))
    for epoch in range(2 * len(votes)):
        one, other = (example.labels(asked, s, epoch) for s in (fixed, shuffled))
        assert set(one) == set(other) and len(one) == len(other)
        assert list(one) == sorted(one, key=LABELS.index)
        assert other == example.labels(asked, shuffled, epoch)


def test_shuffled_labels_come_in_every_order(words: HFTokenizer) -> None:
    example = Example("r", "digest", (1,), (LABELS,))
    seen = {example.labels(task(), Settings(order="shuffled"), epoch) for epoch in range(100)}
    assert len(seen) == 6


def test_shares_without_annotators_are_drawn_label_by_label(words: HFTokenizer) -> None:
    one = record(distribution={"joy": 0.8, "fear": 0.25})
    made = examples(words)
    example = made.read(one)
    drawn = [example.labels(made.task, made.settings, epoch) for epoch in range(2000)]
    found = [np.mean([label in labels for labels in drawn]) for label in LABELS]
    assert found == pytest.approx([0.8, 0.25, 0.0], abs=0.04)
    both = np.mean([len(labels) == 2 for labels in drawn])
    assert both == pytest.approx(0.2, abs=0.04)  # independent
    single = examples(words, format={"kind": "comma", "single": True, "empty": False})
    drawn = [single.read(one).labels(single.task, single.settings, e) for e in range(2000)]
    assert np.mean([labels == ("joy",) for labels in drawn]) == pytest.approx(0.8 / 1.05, abs=0.04)


SINGLE = {"kind": "comma", "single": True, "empty": False}


@pytest.mark.parametrize(
    ("fields", "keys", "told"),
    [
        ({}, {}, "no labels, annotators"),
        ({"labels": ["joy"], "unknown": ["fear"]}, {}, "'fear' is unknown"),
        ({"labels": ["jo"]}, {}, "label 'jo' is not in the task"),
        ({"annotators": [["joy"], ["jo"]]}, {}, "'jo' is not in the task"),
        ({"labels": ["joy", "fear"]}, {"format": SINGLE}, "exactly one label"),
        ({"annotators": [["joy"], []]}, {"format": SINGLE}, r"annotators\[1\]"),
        ({"distribution": {"joy": 1}}, {"format": {"kind": "comma", "empty": False}}, "no label"),
        ({"labels": ["joy"], "text": "happy " * 300}, {}, "too long"),
    ],
)
def test_what_cannot_be_learnt_is_told(
    words: HFTokenizer, fields: dict[str, Any], keys: dict[str, Any], told: str
) -> None:
    with pytest.raises(RecordError, match=told):
        examples(words, **keys).read(record(**fields))


@property_test(50)
@given(st.lists(st.sampled_from(LABELS), min_size=1, max_size=30))
def test_one_label_each_weighs_as_in_scikit_learn(labels: list[str]) -> None:
    found = inverse_frequency([{(label,): 1.0} for label in labels])
    assert found == pytest.approx(compute_sample_weight("balanced", labels))


def test_a_record_weighs_as_its_answers_do() -> None:
    # counts: joy 2.5, none 0.5
    weights = [(1 / 2.5 + 1 / 0.5) / 2, 1 / 2.5, 1 / 2.5]
    found = inverse_frequency([{("joy",): 0.5, (): 0.5}, {("joy",): 1.0}, {("joy",): 1.0}])
    assert found == pytest.approx([3 * w / sum(weights) for w in weights])


@property_test(50)
@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=400), st.integers(1, 9), st.integers(0, 5)
)
def test_batches_hold_every_example_once(lengths: list[int], size: int, epoch: int) -> None:
    batches = deal(lengths, size, 0, epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // size)
    assert max(map(len, batches)) <= size
    assert batches == deal(lengths, size, 0, epoch)
