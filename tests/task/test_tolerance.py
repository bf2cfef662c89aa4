"""What models commonly write is read; it never makes labels ambiguous, nor credits one early."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from labelmass.answers.automaton import DONE, ByteAutomaton
from labelmass.errors import TaskError
from labelmass.task import Task
from labelmass.task.formats import (
    AnswerFormat,
    comma_list,
    custom,
    guard,
    json_list,
    make_format,
    polysyndeton,
)

LABELS = ["joy", "fear", "joyful", "café 😀"]
FENCED = '```json\n{"label": ["joy"]}\n```'

USUAL: list[tuple[AnswerFormat, str, list[int]]] = [
    (json_list(), '{"label":["joy"]}', [0]),
    (json_list(), '{"label":["joy","fear"]}', [0, 1]),
    (json_list(), '{"label": [ "joy" , "fear" ]}', [0, 1]),
    (json_list(), '{\n  "label": [\n    "joy",\n    "fear"\n  ]\n}', [0, 1]),
    (json_list(), '\r\n{"label":\t["joy"]\t}', [0]),
    (json_list(), FENCED, [0]),
    (json_list(), FENCED.replace("json\n", "\n"), [0]),
    (json_list(), FENCED.replace("json\n", "JSON "), [0]),
    (json_list(), '{"label": ["caf\\u00e9 \\ud83d\\ude00"]}', [3]),
    (json_list(), '{"label": ["caf\\u00E9 😀", "joy"]}', [3, 0]),
    (json_list(), "{'label': ['joy', 'fear']}", [0, 1]),
    (json_list(), '{"label": ["Joy", "FEAR"]}', [0, 1]),
    (json_list(), '{"Label": []}', []),
    (json_list(), '{"label":[]}', []),
    (json_list(), '{"label": [ ]}', []),
    (json_list("mood", empty='"none"'), '{"mood":["None"]}', []),
    (comma_list(), "None", []),
    (comma_list(), "NONE.", []),
    (comma_list(), "none.\n", []),
    (comma_list(), "Joy", [0]),
    (comma_list(), "joy.", [0]),
    (comma_list(), "Joy, Fear.", [0, 1]),
    (comma_list(), "\n\njoy ,\tfear\r\n", [0, 1]),
    (comma_list(), "joy; fear", [0, 1]),
    (comma_list(), "joy\nfear", [0, 1]),
    (comma_list(), "- joy\n- fear\n", [0, 1]),
    (comma_list(), "* Joy\n\n* Fear", [0, 1]),
    (comma_list(), "joy,\nfear", [0, 1]),
    (comma_list(), '"joy", "fear"', [0, 1]),
    (comma_list(), "'joy', `fear`", [0, 1]),
    (comma_list(), "**joy**, **fear**.", [0, 1]),
    (comma_list(), '"none"', []),
    (comma_list(separators=("; ",)), "joy;fear", [0, 1]),
    (comma_list(single=True), "Joy.", [0]),
    (guard(), "Safe.", []),
    (guard(), "\n\nSAFE\n", []),
    (guard(), "Unsafe\njoy", [0]),
    (guard(), "unsafe\r\n\r\njoy,fear", [0, 1]),
    (guard(), "unsafe: joy".replace(":", ""), [0]),
    (guard(), "unsafe\njoy\nfear.", [0, 1]),
    (polysyndeton(), "The cup and the Bell.".replace("cup", "joy").replace("Bell", "Fear"), [0, 1]),
    (polysyndeton(), "Nothing.", []),
    (custom(opening="Labels: ", empty="-"), "labels:  joy, fear", [0, 1]),
    (custom(opening="Labels: ", empty="-"), "Labels:\njoy", [0]),
    (custom(opening="<list>", closing="</list>", empty="-"), "<LIST> joy, fear </LIST>", [0, 1]),
]
NEVER: list[tuple[AnswerFormat, str]] = [
    (json_list(), '{"label": ["joy"'),
    (json_list(), '{"la bel": ["joy"]}'),
    (json_list(), '{"label": ["j oy"]}'),
    (json_list(), '{"label": "joy"}'),
    (json_list(), '{"label": [joy]}'),
    (json_list(), '{"label": ["caf\\u00e8"]}'),
    (json_list(), "json" + FENCED[7:]),
    (comma_list(), "joy!"),
    (comma_list(), "joy fear"),
    (comma_list(), "joy and fear"),
    (comma_list(), "joy."[::-1]),
    (comma_list(), "joy.fear"),
    (comma_list(), "-joy"),
    (comma_list(), "joy,"),
    (comma_list(), "none, joy"),
    (comma_list(), "jo y"),
    (guard(), "safe\njoy"),
    (polysyndeton(), "the joy andthe fear"),
    (polysyndeton(), "thejoy"),
    (custom(opening="my labels ", empty="-"), "mylabels joy"),
]


def automaton(fmt: AnswerFormat, labels: list[str]) -> ByteAutomaton:
    return ByteAutomaton(fmt, [[label] for label in labels])


@pytest.mark.parametrize(("fmt", "text", "labels"), USUAL)
def test_what_models_commonly_write_is_read(
    fmt: AnswerFormat, text: str, labels: list[int]
) -> None:
    assert automaton(fmt, LABELS).parse(text) == labels
    assert automaton(fmt.strict(), LABELS).parse(text) is None


@pytest.mark.parametrize(("fmt", "text"), NEVER)
def test_what_is_not_an_answer_stays_off_format(fmt: AnswerFormat, text: str) -> None:
    assert automaton(fmt, LABELS).parse(text) is None


def test_strict_reads_the_separators_blanks_and_case_that_are_named() -> None:
    fmt = comma_list(tolerate="strict")
    reader = automaton(fmt, LABELS)
    assert reader.parse(" joy ,fear ") == [0, 1]
    for text in ("Joy", "joy.", "joy\n", "joy;fear", "None", '"joy"', "- joy"):
        assert reader.parse(text) is None
    assert automaton(comma_list(tolerate="strict", ignore_case=True), LABELS).parse("JOY") == [0]
    spaced = automaton(json_list(tolerate="strict"), LABELS)
    assert spaced.parse('{"label": [ "joy","fear" ]}') == [0, 1]
    assert spaced.parse('{"label":["joy"]}') is None


STRINGS = st.text(st.sampled_from("abé爱😀'\"\\ ,]-"), min_size=1, max_size=5).map(str.strip)
NAMES = st.lists(STRINGS.filter(bool), min_size=1, max_size=4, unique=True)


@property_test(150)
@given(
    names=NAMES,
    key=STRINGS.filter(bool),
    indent=st.sampled_from([None, 0, 2, "\t"]),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : "), (",\n", ":\r\n")]),
    ascii_only=st.booleans(),
    data=st.data(),
)
def test_any_json_of_the_same_value_is_read(
    names: list[str],
    key: str,
    indent: int | str | None,
    separators: tuple[str, str],
    ascii_only: bool,
    data: st.DataObject,
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(range(len(names))), unique=True))
    value = {key: [names[i] for i in chosen]}
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators)
    reader = automaton(json_list(key), names)
    assert reader.parse(text) == chosen
    assert reader.parse(f"```json\n{text}\n```") == chosen


PIECES = [*"abAB'\"`-*.,; \n", "none", "None", "ab", "a, b", "- ", "**", ", "]
FORMATS = [
    comma_list(),
    comma_list(stops=("\n\n",), repeats="off-format"),
    comma_list(single=True),
    json_list("l"),
    polysyndeton(article=""),
    guard(),
    custom(opening="a: ", empty="-", closing=" .", separators=("; ",)),
]


@property_test(300)
@given(
    fmt=st.sampled_from(FORMATS),
    names=st.lists(
        st.text(st.sampled_from("abAB'-. "), min_size=1, max_size=3).map(str.strip).filter(bool),
        min_size=1,
        max_size=4,
        unique=True,
    ),
    pieces=st.lists(st.sampled_from(PIECES), max_size=6),
    data=st.data(),
)
def test_a_label_as_it_is_written_wins_and_none_is_credited_early(
    fmt: AnswerFormat, names: list[str], pieces: list[str], data: st.DataObject
) -> None:
    names = [name for name in names if name.lower() not in ("none", "-", "safe", "unsafe")]
    own, usual = automaton(fmt.strict(), names), automaton(fmt, names)
    chosen = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    chosen = chosen[:1] if fmt.single else chosen
    for text in ("".join(pieces), fmt.write(chosen), fmt.opening + "".join(pieces)):
        try:
            expected = own.parse(text)
            read = usual.parse(text)
        except TaskError:
            continue  # the labels themselves read as a list of others
        if expected is not None:
            assert read == expected
        data_bytes = text.encode()
        ran = usual.run(data_bytes)
        if read is None or ran is None:
            continue
        spans = usual.spans(data_bytes) or []
        written = tuple(span.output for span in spans)
        for length in range(len(data_bytes) + 1):
            before = usual.run(data_bytes[:length])
            assert before is not None
            if before[0] != DONE:  # nothing that another end of the answer would not write
                assert before[1] == written[: len(before[1])]
            for span in spans[: len(before[1])]:
                assert span.end <= length


def test_a_full_stop_settles_nothing() -> None:
    reader = automaton(comma_list(), ["joy", "joy.us"])
    ran = reader.run(b"joy.")
    assert ran is not None and ran[1] == ()
    assert reader.end(ran[0]) == (0,)
    assert reader.parse("joy.us") == [1]
    assert automaton(comma_list(), ["e.g.", "e.g"]).parse("e.g.") == [0]
    assert automaton(comma_list(), ["e.g.", "e.g"]).parse("e.g..") == [0]


@pytest.mark.parametrize(
    ("labels", "text", "read"),
    [
        (["US", "us"], "us", [1]),
        (["US", "us"], "US", [0]),
        (["US", "us"], "Us", None),  # either might be meant
        (["US", "us", "it"], "US, IT", [0, 2]),
        (["ß", "ss"], "ß, ss", [0, 1]),
        (["ß", "ss"], "SS", [1]),
        (["None"], "none", []),
        (["None"], "None", [0]),
        (["a", "'a'"], "'a'", [1]),
        (["a", "'a'"], '"a"', [0]),
        (["a", "- a"], "- a", [1]),
        (["a", "b", "a; b"], "a; b", [2]),
        (["a", "b", "a; b"], "a;b", [0, 1]),
        (["joy", "fear", "joy\u2028fear"], "joy\nfear", [0, 1]),
    ],
)
def test_where_a_deviation_is_a_label_the_label_wins(
    labels: list[str], text: str, read: list[int] | None
) -> None:
    assert automaton(comma_list(), labels).parse(text) == read


def test_every_letter_is_read_in_either_case_and_no_two_are_confused() -> None:
    letters = [chr(code) for code in range(0x20, 0x250) if chr(code).isalpha()]
    reader = automaton(comma_list(), letters)
    for index, letter in enumerate(letters):
        assert reader.parse(letter) == [index]
    lone = [letter for letter in letters if letter.swapcase() not in letters]
    for letter in lone:
        read = reader.parse(letter.swapcase())
        assert read in (None, [letters.index(letter)])


def test_what_was_given_to_the_model_is_read_as_it_stands() -> None:
    given = b'{"label": ['
    led = ByteAutomaton(json_list(), [["joy"]], before=b"Answer:\n", given=given)
    assert led.parse('Answer:\n{"label": ["joy"]}') == [0]
    assert led.parse('Answer:\n{"label": [ "Joy" ] }') == [0]
    for before in ("", "\nAnswer:\n", "answer:\n", "Answer:\n\n"):
        assert led.parse(before + '{"label": ["joy"]}') is None
    assert led.parse('Answer:\n{"label":["joy"]}') is None
    (span,) = led.spans(b'Answer:\n{"label": ["joy"]}') or []
    assert (span.start, span.end) == (19, 24)
    with pytest.raises(TaskError, match="not the beginning of an answer"):
        ByteAutomaton(json_list(), [["joy"]], given=b"[")


def test_the_key_of_a_task_file() -> None:
    keys = {"name": "mood", "labels": ["joy"], "instruction": "{labels}"}
    usual = Task(**keys, format="comma")
    strict = Task(**keys, format={"kind": "comma", "tolerate": "strict"})
    assert (usual.format.tolerate, strict.format.tolerate) == ("usual", "strict")
    assert usual.hash != strict.hash
    assert Task.from_dict(strict.to_dict()).format == strict.format
    assert (usual.format.reading, strict.format.reading) == ("comma+usual", "comma")
    assert guard().reading == "guard+verdict+usual"
    with pytest.raises(TaskError, match=r"format\.tolerate is 'much'"):
        make_format("comma", tolerate="much")
    with pytest.raises(TaskError, match=r"format\.tolerat is unknown: did you mean 'tolerate'"):
        Task(**keys, format={"kind": "comma", "tolerat": "strict"})
    with pytest.raises(TaskError, match=r"format\.verdict_prefix and format\.empty are both"):
        guard(verdict_prefix="safe")
