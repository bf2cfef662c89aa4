"""What a format writes it reads back, and it reads nothing but answers."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.answers.automaton import ByteAutomaton
from labelmass.errors import TaskError
from labelmass.task.formats import (
    AnswerFormat,
    comma_list,
    custom,
    guard,
    json_list,
    make_format,
    polysyndeton,
)

FORMATS = {
    "json": json_list(),
    "comma": comma_list(),
    "guard": guard(),
    "polysyndeton": polysyndeton(),
    "custom": custom(
        opening="Labels: ",
        empty="-",
        item="<{label}>",
        separators=("; ", ";"),
        closing=".",
        blanks=" ",
    ),
}
LABELS = ["joy", "joyful", "S1", "S10", "très «bon»", "爱", 'a "quoted\\" one', "x y"]
LABEL = st.text(st.sampled_from("abé爱 -S10\"'"), min_size=1, max_size=6).map(str.strip)
NAMES = st.lists(LABEL.filter(bool), min_size=1, max_size=6, unique_by=str.lower)


def automaton(fmt: AnswerFormat, labels: list[str]) -> ByteAutomaton:
    return ByteAutomaton(fmt, [[label] for label in labels])


@pytest.mark.parametrize("kind", FORMATS)
@property_test(60)
@given(names=NAMES, data=st.data())
def test_what_is_written_is_read_back(kind: str, names: list[str], data: st.DataObject) -> None:
    fmt = FORMATS[kind]
    names = [n for n in names if n.lower() not in ("none", "safe", "nothing", "-")]
    if not names:
        return
    chosen = data.draw(st.lists(st.sampled_from(range(len(names))), unique=True))
    text = fmt.write([names[i] for i in chosen])
    assert automaton(fmt, names).parse(text) == chosen
    strict = automaton(fmt.strict(), names)
    assert strict.parse(text) == chosen
    spans = strict.spans(text.encode()) or []
    for span in spans:
        if span.output < len(names):
            assert (
                fmt.spell(names[span.output]).encode().find(text.encode()[span.start : span.end])
                >= 0
            )


@pytest.mark.parametrize("kind", FORMATS)
@property_test(150)
@given(data=st.data())
def test_a_strict_format_reads_what_its_regular_expression_does(
    kind: str, data: st.DataObject
) -> None:
    fmt = FORMATS[kind].strict()
    label = "|".join(re.escape(fmt.spell(name)) for name in LABELS)
    verdict_prefix = (
        "" if fmt.verdict_prefix is None else re.escape(fmt.verdict_prefix + fmt.verdict_separator)
    )
    items = f"{verdict_prefix}(?:{label})(?:{re.escape(fmt.separators[0])}(?:{label}))*"
    whole = f"{re.escape(fmt.opening)}(?:{re.escape(fmt.empty or '')}|{items})"
    whole += re.escape(fmt.closing or "")
    pieces = [
        fmt.opening,
        fmt.empty,
        fmt.closing,
        fmt.verdict_prefix,
        "\n",
        *fmt.separators,
        "x",
        " ",
    ]
    pieces += [fmt.spell(name) for name in LABELS] + [fmt.write(LABELS[:2]), fmt.write([])]
    text = "".join(data.draw(st.lists(st.sampled_from([p for p in pieces if p]), max_size=7)))
    read = automaton(fmt, LABELS).parse(text)
    if fmt.closing is None:
        assert (read is not None) == bool(re.fullmatch(whole, text))
    else:  # what follows the closing text is not part of the answer
        assert (read is not None) == bool(re.match(whole, text))


def test_blanks_and_case_are_tolerated_where_it_is_said() -> None:
    fmt = comma_list(blanks=" ", ignore_case=True)
    reader = automaton(fmt, ["Joy", "fear"])
    for text in ("Joy, fear", " joy ,FEAR ", "JOY,fear", "joy  ,  fear"):
        assert reader.parse(text) == [0, 1]
    assert reader.parse(" NONE ") == []
    strict = automaton(fmt.strict(), ["Joy", "fear"])
    assert strict.parse("joy, fear") is None
    assert strict.parse("Joy,fear") is None


@pytest.mark.parametrize(
    "text", ["", "joy,", "joy, ", ", joy", "joy joy", "joyf", "none, joy", "j"]
)
def test_what_is_cut_or_foreign_is_off_format(text: str) -> None:
    assert automaton(comma_list(), ["joy", "fear"]).parse(text) is None


def test_a_stop_text_ends_the_answer_and_what_follows_is_not_part_of_it() -> None:
    reader = automaton(comma_list(stops=("\n\n",)), ["joy", "fear"])
    assert reader.parse("joy\n\nText: another") == [0]
    assert reader.parse("joy, fear") == [0, 1]


def test_repeats_add_nothing_or_are_off_format() -> None:
    assert automaton(comma_list(), ["joy", "fear"]).parse("joy, fear, joy") == [0, 1]
    assert automaton(comma_list(repeats="off-format"), ["joy", "fear"]).parse("joy, joy") is None


def test_a_single_label_has_no_separator() -> None:
    fmt = comma_list(single=True)
    assert automaton(fmt, ["joy", "fear"]).parse("fear") == [1]
    assert automaton(fmt, ["joy", "fear"]).parse("fear, joy") is None
    with pytest.raises(TaskError, match="exactly one label"):
        fmt.write(["joy", "fear"])


def test_labels_that_hold_a_separator_are_read_as_long_as_one_reading_is_left() -> None:
    reader = automaton(comma_list(blanks=""), ["joy", "joy, pure", "fear"])
    assert reader.parse("joy, pure") == [1]
    assert reader.parse("joy, fear") == [0, 2]
    with pytest.raises(TaskError, match="cannot be told apart"):
        automaton(comma_list(blanks=""), ["joy", "pure", "joy, pure"]).parse("joy, pure")


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ({"item": "label"}, "format.item"),
        ({"separators": ()}, "format.separators"),
        ({"separators": ("",)}, "format.separators"),
        ({"verdict_prefix": ""}, "format.verdict_prefix"),
        ({"closing": ""}, "format.closing"),
        ({"closing": ".", "stops": ("x",)}, "format.stops"),
        ({"empty": ""}, "format.empty"),
        ({"blanks": "-"}, "format.blanks"),
        ({"repeats": "maybe"}, "format.repeats"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_parts_that_make_no_format_are_named(parts: dict[str, object], complaint: str) -> None:
    with pytest.raises(TaskError, match=complaint):
        make_format("custom", **parts)


def test_strict_reads_only_what_is_written() -> None:
    strict = replace(comma_list(), separators=(", ",), blanks="", tolerate="strict")
    assert comma_list(ignore_case=True).strict() == comma_list().strict() == strict
