"""Names as people read them: one Unicode form, and which name is meant."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass._text import canonical, caseless, find, nearest, quoted

TEXTS = st.text(st.sampled_from("aeéÉůß가ﬁK\u0301\u030a\u0345 "), max_size=6)


@property_test(100)
@given(text=TEXTS, other=TEXTS)
def test_texts_are_equal_when_their_unicode_forms_are(text: str, other: str) -> None:
    same = unicodedata.normalize("NFD", text) == unicodedata.normalize("NFD", other)
    assert (canonical(text) == canonical(other)) == same
    assert canonical(canonical(text)) == canonical(text)
    if same or text.lower() == other.lower():
        assert caseless(text) == caseless(other)
    assert caseless(unicodedata.normalize("NFD", text)) == caseless(text)


@property_test(100)
@given(names=st.lists(TEXTS, max_size=4), data=st.data())
def test_a_name_is_found_in_any_form(names: list[str], data: st.DataObject) -> None:
    wanted = data.draw(st.sampled_from(names) if names else TEXTS)
    other = unicodedata.normalize(data.draw(st.sampled_from(["NFC", "NFD"])), wanted)
    found = find(other, names)
    if names:
        assert found is not None and canonical(found) == canonical(wanted)
        assert find(wanted, names) == wanted
    else:
        assert found is None


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("joy ", "joy"),
        ("joy\u00a0", "joy"),
        ("Joy", "joy"),
        ("jo\u200by", "joy"),
        ("hate\u00a0 speech", "hate speech"),
        ("a\u00a0\u00a0", "a"),  # too short for likeness alone
        ("ＪＯＹ", "joy"),
        ("jou", "joy"),
    ],
)
def test_the_name_that_is_meant(word: str, meant: str) -> None:
    assert nearest(word, ["fear", "a", "joy", "hate speech"]) == f": did you mean {meant!r}?"


def test_no_name_is_meant() -> None:
    assert nearest("weather", ["fear", "joy"]) == ""


def test_names_that_look_the_same_are_shown_in_escapes() -> None:
    assert quoted("caf\u00e9", "cafe\u0301") == r"'caf\xe9'"
    assert quoted("café", "fear") == "'café'"
