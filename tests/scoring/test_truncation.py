"""Long texts are cut to their first tokens, and the results say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelmass
from conftest import mood_model
from labelmass.answers.prompt_boundary import PromptBoundary
from labelmass.errors import FitError, LabelMassError, RecordError
from labelmass.lm.base import LanguageModel
from labelmass.scoring.cutting import cut_texts
from labelmass.scoring.plan import Plan
from labelmass.scoring.saved_trees import SavedTrees, TreeStore
from labelmass.scoring.score import score_trees
from labelmass.scoring.scorer import Scorer
from labelmass.task import Record, Task

LONG = "so happy " * 40


class Tokens:
    """A tokenizer of whole words, each with the blank before it, that reads in small letters."""

    def __init__(self, lower: bool = False) -> None:
        self.lower = lower
        self.token_bytes: list[bytes] = []
        self._ids: dict[bytes, int] = {}

    def encode(self, text: str) -> list[int]:
        pieces: list[bytes] = []
        for place, char in enumerate(text):
            part = (char.lower() if self.lower else char).encode()
            # A blank begins a token, and so does every character of several bytes, byte by byte.
            if len(part) > 1:
                pieces += [part[at : at + 1] for at in range(len(part))]
            elif char == " " or not place or pieces[-1][-1] > 127:
                pieces.append(part)
            else:
                pieces[-1] += part
        return [self._id(piece) for piece in pieces]

    def _id(self, piece: bytes) -> int:
        if piece not in self._ids:
            self._ids[piece] = len(self.token_bytes)
            self.token_bytes.append(piece)
        return self._ids[piece]


@settings(deadline=None, max_examples=200)
@given(
    st.text(st.sampled_from("aB é🙂\n"), max_size=40).filter(str.strip),
    st.integers(1, 8),
    st.booleans(),
)
def test_what_is_shown_is_a_beginning_and_fits(text: str, tokens: int, lower: bool) -> None:
    tokenizer = Tokens(lower)
    record = Record("a", text=text, extra={"labels": ["joy"]})
    fits = [n for n in range(len(text) + 1) if len(tokenizer.encode(text[:n])) <= tokens]
    longest = text[: fits[-1]]
    if not longest.strip():
        with pytest.raises(RecordError, match="shows nothing in its first"):
            cut_texts(record, tokenizer, tokens)  # type: ignore[arg-type]
        return
    found = cut_texts(record, tokenizer, tokens)  # type: ignore[arg-type]
    shown = found.shown.text or ""
    assert shown == longest
    whole = len(tokenizer.encode(text))
    assert bool(found.cuts) == (whole > tokens)
    assert (found.text, found.digest, found.to_dict()) == (text, record.digest, record.to_dict())
    if found.cuts:
        (cut,) = found.cuts
        assert str(cut) == f"text cut from {whole} to {len(tokenizer.encode(shown))} tokens"


def test_every_text_of_a_record_is_cut(mood: Task) -> None:
    tokenizer = Tokens()
    talk = [{"role": "user", "content": "a b c d"}, {"role": "assistant", "content": "e"}]
    record = cut_texts(
        Record.from_dict({"messages": talk}, 1),
        tokenizer,  # type: ignore[arg-type]
        2,
    )
    assert [str(cut) for cut in record.cuts] == ["messages[0].content cut from 4 to 2 tokens"]
    assert [m.content for m in record.shown.messages or ()] == ["a b", "e"]
    pair = cut_texts(Record(1, prompt="a b c", response="d e f"), tokenizer, 1)  # type: ignore[arg-type]
    assert (pair.shown.prompt, pair.shown.response) == ("a", "d")
    assert mood.prompt(record).turns[-1].text.endswith("User: a b\n\nAgent: e\nAnswer:\n")


def test_scores_are_those_of_the_beginning(mood: Task) -> None:
    model = mood_model(context=200)
    texts = [{"id": "long", "text": LONG}, "rain"]
    assert "too long" in labelmass.score(texts, mood, model)[0].error
    long, short = labelmass.score(texts, mood, model, max_text_tokens=9)
    alone, same = labelmass.score([LONG[:9], "rain"], mood, model)
    assert long["joyful"] == alone["joyful"] and short["joy"] == same["joy"]
    assert long.warnings[0] == f"text cut from {len(LONG)} to 9 tokens"
    record = long.to_dict()
    assert record["cut"] == [{"key": "text", "characters": 9, "tokens": 9, "whole": len(LONG)}]
    assert record["input"] == {"text": LONG}
    assert record["signature"]["max_text_tokens"] == 9
    assert "cut" not in short.to_dict() and short.warnings == same.warnings
    with pytest.raises(LabelMassError, match="max_text_tokens is 0"):
        labelmass.score(texts, mood, model, max_text_tokens=0)


def test_a_text_that_is_blank_up_to_there_is_a_failure(mood: Task) -> None:
    (failure,) = labelmass.score([" " * 20 + "happy"], mood, mood_model(), max_text_tokens=5)
    assert "text shows nothing in its first 5 tokens" in failure.error


def test_saved_trees_remember_what_was_shown(mood: Task, tmp_path: Path) -> None:
    model = mood_model(context=200)
    plan = Plan(mood, max_text_tokens=9, every_method=True)
    store = TreeStore(tmp_path / "trees", mood, plan.signature(model))
    items = [(1, Record("long", text=LONG, extra={"labels": ["joy"]}))]
    ((_, scored),) = Scorer.of_plan(plan, model).run(items, store=store)
    store.close()
    (record,) = SavedTrees(tmp_path / "trees").records()
    assert record == items[0][1] and record.cuts[0].characters == 9
    start = PromptBoundary(mood, model.tokenizer).start(record)
    shown = replace(items[0][1], text=LONG[:9])
    assert start.ids == PromptBoundary(mood, model.tokenizer).start(shown).ids
    (read,) = score_trees(tmp_path / "trees")
    assert read.to_dict() == scored.to_dict()


def test_a_calibrator_is_for_texts_cut_alike(mood: Task) -> None:
    from labelmass.provenance import check

    model = mood_model()
    whole = Plan(mood).signature(model).to_dict()
    cut = Plan(mood, max_text_tokens=9).signature(model).to_dict()
    assert "max_text_tokens" not in whole
    check("it", whole, whole, False)
    with pytest.raises(FitError, match="max_text_tokens: None, now 9"):
        check("it", whole, cut, False)


@pytest.mark.model
def test_a_real_tokenizer(smol: LanguageModel) -> None:
    text = "Grüße aus 東京 🙂, und so weiter! " * 20
    for tokens in (1, 2, 5, 17, 64):
        found = cut_texts(Record(1, text=text), smol.tokenizer, tokens)
        shown = found.shown.text or ""
        assert text.startswith(shown)
        assert len(smol.tokenizer.encode(shown)) == found.cuts[0].tokens <= tokens
        assert found.cuts[0].tokens >= tokens - 3
