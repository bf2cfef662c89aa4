"""Values of NumPy, pandas, Arrow and Python in their plain forms."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelmass.errors import RecordError
from labelmass.task import Record
from labelmass.task.values import for_json, plain, plain_row, read_id

SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(
    SCALAR, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
).filter(lambda value: "inf" not in repr(value))


@settings(deadline=None)
@given(JSON)
def test_what_is_plain_stays_as_it_is(value: Any) -> None:
    assert plain(value) == value == for_json(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array([["joy"], []], dtype=object), [["joy"], []]),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (("a", ("b",)), ["a", ["b"]]),
        ({"b", "a"}, ["a", "b"]),
        ({1: np.array(["a"])}, {"1": ["a"]}),
        (Decimal("3.00"), 3),
        (Decimal("0.25"), 0.25),
        (datetime.date(2020, 1, 2), "2020-01-02"),
        (datetime.timedelta(hours=1), "1:00:00"),
        ([float("inf"), np.nan], ["inf", "nan"]),
    ],
)
def test_values_of_libraries(value: Any, expected: Any) -> None:
    found = plain(value)
    assert found == expected
    assert json.loads(json.dumps(found, allow_nan=False)) == expected


def test_what_has_no_plain_form_is_kept_as_text_only_where_json_is_written() -> None:
    assert plain({"a": [b"\xff"]}) == {"a": [b"\xff"]}
    assert for_json({"a": [b"\xff", 1j]}) == {"a": ["/w==", "1j"]}


def test_pandas_says_what_is_missing_in_many_ways() -> None:
    import pandas

    row = {"a": pandas.NA, "b": pandas.NaT, "c": np.float64("nan"), "d": None, "e": Decimal("nan")}
    assert plain_row(row) == dict.fromkeys("abcde")
    frame = pandas.DataFrame({"at": pandas.to_datetime(["2020-01-02 03:04"]), "n": [1]})
    (found,) = (plain_row(row) for row in frame.to_dict("records"))
    assert found == {"at": "2020-01-02T03:04:00", "n": 1}


@pytest.mark.parametrize(
    ("value", "name"),
    [
        *((7, 7), ("7", "7"), (3.0, 3), (np.int32(4), 4), (np.float64(5.0), 5)),
        *((Decimal("6"), 6), (np.str_("x"), "x"), (2**70, 2**70)),
        *((None, None), ("", None), (float("nan"), None)),
    ],
)
def test_ids(value: Any, name: Any) -> None:
    found = read_id(value)
    assert found == name and type(found) is type(name)
    if name is not None:
        assert Record.from_dict({"id": value, "text": "a"}, 1).id == name


@pytest.mark.parametrize("value", [True, np.bool_(False), 3.5, Decimal("0.1"), 2.0**60, [1], b"x"])
def test_what_is_no_id_is_refused(value: Any) -> None:
    with pytest.raises(RecordError, match=r"id is .*not a text or a whole number"):
        read_id(value)


def test_fields_of_a_record_are_plain_json() -> None:
    import pandas

    row = {"text": np.str_("a"), "at": pandas.Timestamp("2020-01-02"), "n": np.int64(1), "b": b"a"}
    record = Record.from_dict(row | {"none": np.nan}, 1)
    assert record.extra == {"at": "2020-01-02T00:00:00", "n": 1, "b": "YQ==", "none": None}
    assert Record.from_dict(json.loads(json.dumps(record.to_dict())), 1) == record
    with pytest.raises(RecordError, match="text is a bytes, not a text"):
        Record.from_dict({"text": b"a"}, 1)
