"""JSON, read strictly."""

from __future__ import annotations

import io
import math

import pytest

from labelmass.errors import RecordError
from labelmass.files import parse_json, read_json_lines


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ('{"x": {"a": 1, "b": 2, "b": 3}}', "the key 'b' stands twice"),
        ('{"a": Infinity}', "Infinity is no number"),
        ('{"a": }', "Expecting value at column 7"),
        ('{\n"a": }', "Expecting value at line 2, column 6"),
    ],
)
def test_malformed_json_is_named(text: str, said: str) -> None:
    with pytest.raises(RecordError, match=f"malformed JSON: .*{said}"):
        parse_json(text)


def test_not_a_number_is_taken() -> None:
    assert math.isnan(parse_json('{"a": NaN}')["a"])


def test_lines_know_their_numbers() -> None:
    found = list(read_json_lines(io.BytesIO(b'\xef\xbb\xbf1\n\n{\r\n"\xff"\n"a\xe2\x80\xa8b"')))
    assert [number for number, _ in found] == [1, 3, 4, 5]
    assert (found[0][1], found[3][1]) == (1, "a\u2028b")
    assert [isinstance(value, RecordError) for _, value in found] == [False, True, True, False]
