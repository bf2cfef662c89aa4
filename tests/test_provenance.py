"""Each field of a signature says how it is compared, and is compared so."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelmass._types import Normalisation
from labelmass.provenance import Compared, Signature, differences

SIGNATURE = Signature(
    *("m", "f", "t", "e", "float32", "emotions", "hash", "comma", ("any-place",)),
    Normalisation.RAW,
    tolerance=0.01,
    relative=0.1,
    max_nodes=512,
    max_depth=256,
    max_seconds=None,
)
OTHERS: dict[type, Any] = {
    str: "another", int: 7, float: 0.5, tuple: ("hard",), dict: {"hard": "low"},
}  # fmt: skip
FIELDS = {field.name: field.metadata["compared"] for field in fields(Signature)}


def changed(name: str) -> Signature:
    before = getattr(SIGNATURE, name)
    other = "another" if before is None else OTHERS.get(type(before), Normalisation.MASKED)
    return replace(SIGNATURE, **{name: other})


def test_every_field_says_how() -> None:
    assert set(FIELDS.values()) == set(get_args(Compared))


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_compared_as_it_says(name: str) -> None:
    found = differences(SIGNATURE.to_dict(), changed(name).to_dict())
    assert set(found) == (set() if FIELDS[name] == "never" else {name})


COARSENESS = st.none() | st.floats(0, 1)


@pytest.mark.parametrize("name", [name for name, how in FIELDS.items() if how == "as fine"])
@given(fitted=COARSENESS, given=COARSENESS)
def test_a_tolerance_may_be_finer_and_not_coarser(
    name: str, fitted: float | None, given: float | None
) -> None:
    """None is the coarsest."""
    one, other = ({**SIGNATURE.to_dict(), name: value} for value in (fitted, given))
    coarser = (given if given is not None else 2) > (fitted if fitted is not None else 2)
    assert (name in differences(one, other)) == coarser


@given(st.sets(st.sampled_from(sorted(FIELDS))))
def test_a_signature_reads_back_from_what_is_left_of_it(left_out: set[str]) -> None:
    """Files of older versions lack later fields; `methods` was there from the first."""
    whole = SIGNATURE.to_dict()
    assert Signature.from_dict(whole) == SIGNATURE
    rest = {key: value for key, value in whole.items() if key not in left_out - {"methods"}}
    read = Signature.read(rest)
    assert read is not None
    for name in rest:
        assert getattr(read, name) == getattr(SIGNATURE, name)


@given(st.sets(st.sampled_from([name for name in FIELDS if getattr(SIGNATURE, name) is None])))
def test_a_signature_with_some_of_what_belongs_together_is_shown(given: set[str]) -> None:
    """A damaged file may name a contextual calibration and no target rate."""
    texts = {"contextual_calibration": "batch", "calibrator": "digest"}
    signature = replace(SIGNATURE, **{name: texts.get(name, 7) for name in given})
    shown = str(signature)
    assert ("contextual:batch" in shown) == ("contextual_calibration" in given)
    assert ("@7" in shown) == ({"contextual_calibration", "target_rate"} <= given)
