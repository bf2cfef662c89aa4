"""Whatever a file holds, it is read, or refused with an error of labelmass's own.

Well-formed files of every kind are damaged, as data and byte by byte, and used as a command would
use them. A thousand seeded cases always; a hundred thousand new ones with `make check-long`.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.artefacts import ARTEFACTS, OURS, Artefact
from fuzz.damage import EDITS_OF_BYTES, EDITS_OF_DATA, Edit, damaged, edited
from fuzz.file_formats import Part
from helpers.property_tests import LONG
from labelmass.datasets.sources import SOURCES

TOTAL = 100_000 if LONG else 1_000
"""Cases in all, shared out evenly."""

tried = settings(
    max_examples=-(-TOTAL // (2 * len(ARTEFACTS) + 1)),
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    database=None,
)
pytestmark = pytest.mark.long

which_file = st.floats(0, 1, exclude_max=True)


@cache
def parts(name: str) -> dict[str, Part | None]:
    """The files of an artefact as data; None for one that holds bytes alone."""
    files = ARTEFACTS[name].files()
    return {
        file: None if file.endswith(".safetensors") else Part.of(file, content)
        for file, content in files.items()
    }


def refused_or_used(artefact: Artefact, **changed: bytes) -> None:
    """Use the files of an artefact, some of them changed."""
    with tempfile.TemporaryDirectory() as name:
        for file, content in {**artefact.files(), **changed}.items():
            (Path(name) / file).write_bytes(content)
        try:
            artefact.use(Path(name))
        except OURS as error:
            refusal = str(error)
        else:
            return
    assert refusal, "an error without a word"


@pytest.mark.parametrize("name", ARTEFACTS)
def test_well_formed_files_are_used(name: str, tmp_path: Path) -> None:
    for file, content in ARTEFACTS[name].files().items():
        (tmp_path / file).write_bytes(content)
    ARTEFACTS[name].use(tmp_path)


@pytest.mark.parametrize("name", ARTEFACTS)
@tried
@given(which=which_file, edits=EDITS_OF_DATA)
def test_files_of_other_data(name: str, which: float, edits: list[Edit]) -> None:
    known = {file: part for file, part in parts(name).items() if part is not None}
    file = sorted(known)[int(which * len(known))]
    content = known[file].write(edited(known[file].data, edits))
    refused_or_used(ARTEFACTS[name], **{file: content})


@pytest.mark.parametrize("name", ARTEFACTS)
@tried
@given(which=which_file, edits=EDITS_OF_BYTES)
def test_files_of_other_bytes(name: str, which: float, edits: list[Edit]) -> None:
    whole = ARTEFACTS[name].files()
    file = sorted(whole)[int(which * len(whole))]
    refused_or_used(ARTEFACTS[name], **{file: damaged(whole[file], edits)})


@tried
@given(which=which_file, content=st.binary(max_size=200))
def test_files_of_anything(which: float, content: bytes) -> None:
    artefact = ARTEFACTS[sorted(ARTEFACTS)[int(which * len(ARTEFACTS))]]
    whole = artefact.files()
    refused_or_used(artefact, **{sorted(whole)[0]: content})


def test_every_source_is_among_them() -> None:
    assert {name.removeprefix("import-") for name in ARTEFACTS} >= set(SOURCES)
