"""Check of an installation: what is there, what works, and how to mend what does not."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from packaging.requirements import Requirement
from threadpoolctl import threadpool_info

from labelmass.errors import LabelMassError, ModelError
from labelmass.lm import embedded, gguf
from labelmass.lm import load as loading
from labelmass.lm.base import PROMPT, LanguageModel, NodeQuery
from labelmass.lm.checks import flaw

State = Literal["works", "found", "missing", "broken"]
"""State of a part: tried; there, but not tried; not there; there, and it failed."""

ENGINE = "transformers"
ENGINE_CURE = "pip install 'labelmass[transformers]'"

CACHE_KINDS = {
    "gguf": "converted models",
    "checks": "results of model checks",
    "prompts": "prompts chosen for models",
}
"""Folders of the cache."""

NAME_WIDTH = 20
"""Characters of a name in the printed report."""

UNFINISHED = ".partial-"
"""Start of the names of what a killed process left behind."""


@dataclass(frozen=True, slots=True)
class Extra:
    """A set of optional packages.

    Attributes:
        missing: Requirements that are not met, as pip reads them.
    """

    name: str
    missing: tuple[str, ...]

    @property
    def cure(self) -> str | None:
        """The command that completes it; None if it is complete."""
        return f"pip install 'labelmass[{self.name}]'" if self.missing else None


@dataclass(frozen=True, slots=True)
class Part:
    """An engine, or a model that needs no download.

    Attributes:
        about: Versions and devices, or what went wrong.
        cure: What to run or to set; None where there is nothing to mend.
    """

    name: str
    state: State
    about: str
    cure: str | None = None


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What the cache holds of one kind."""

    kind: str
    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Cache:
    """The folder of what is made once and used again; it may be deleted at any time.

    Attributes:
        writable: Whether something can be added.
    """

    folder: str
    writable: bool
    uses: tuple[CacheUse, ...]

    @property
    def bytes(self) -> int:
        """Size of all it holds."""
        return sum(use.bytes for use in self.uses)


@dataclass(frozen=True, slots=True)
class Installation:
    """State of an installation; `print` shows it with the cures.

    Attributes:
        location: Folder of the package.
        threads: By library, the threads that it computes on.
        problem: Why no language model can score here, and the cure; None if one can.
    """

    version: str
    python: str
    platform: str
    location: str
    extras: tuple[Extra, ...]
    engines: tuple[Part, ...]
    models: tuple[Part, ...]
    threads: Mapping[str, int]
    cache: Cache
    problem: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        extras = [asdict(extra) | {"cure": extra.cure} for extra in self.extras]
        cache = asdict(self.cache) | {"bytes": self.cache.bytes}
        data = asdict(self) | {"extras": extras, "threads": dict(self.threads), "cache": cache}
        return json.loads(json.dumps(data))

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def doctor(*, quick: bool = False) -> Installation:
    """Check the installation: packages, engines, models, threads and the cache.

    The engine is imported, and the embedded model is loaded and asked for one token, which takes
    seconds; the first time it is converted and cached, as for scoring.

    Args:
        quick: Import no engine and load no model; say only what is found.
    """
    engine = _engine(quick)
    model = _embedded_model(quick or engine.state != "works")
    broken = [part for part in (engine, model) if part.state == "broken"]
    if engine.state == "missing":
        broken = [engine]
    return Installation(
        version=version("labelmass"),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        location=str(Path(__file__).parents[1]),
        extras=tuple(_extras()),
        engines=(engine,),
        models=(model, _embedded_encoder()),
        threads=_threads(),
        cache=_cache(gguf.cache_folder()),
        problem=_problem(broken[0]) if broken else None,
    )


def _problem(part: Part) -> str:
    cure = f"; run: {part.cure}" if part.cure else ""
    return f"{part.name} is {part.state}: {part.about}{cure}"


# -- engines and models -------------------------------------------------------------------------


def _engine(quick: bool) -> Part:
    names = ("torch", "transformers")
    found = {name: _version(name) for name in names}
    if lacking := [name for name, number in found.items() if number is None]:
        return Part(ENGINE, "missing", f"no {' and no '.join(lacking)}", ENGINE_CURE)
    about = ", ".join(f"{name} {number}" for name, number in found.items())
    if quick:
        return Part(ENGINE, "found", about)
    try:
        import_module("labelmass.lm.transformers")
        return Part(ENGINE, "works", f"{about}, on {_device()}")
    except Exception as error:  # a broken package fails in its own way
        return Part(ENGINE, "broken", f"{about}: {_described(error)}", ENGINE_CURE)


def _device() -> str:
    """The device that models are loaded on if none is named."""
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    count = torch.cuda.device_count()
    return f"cuda ({count} x {torch.cuda.get_device_name()})"


def _embedded_model(quick: bool) -> Part:
    name = embedded.NAME
    try:
        embedded.gguf_file()
    except ModelError:
        return Part(name, "missing", embedded.ABOUT, embedded.COMMAND)
    if quick:
        return Part(name, "found", embedded.ABOUT)
    start = time.perf_counter()
    try:
        token = _first_token(loading.load())
    except LabelMassError as error:
        return Part(name, "broken", str(error))
    except Exception as error:  # of torch and transformers
        return Part(name, "broken", _described(error), ENGINE_CURE)
    seconds = time.perf_counter() - start
    return Part(name, "works", f"{embedded.TITLE}, loaded, wrote {token!r} in {seconds:.1f} s")


def _first_token(model: LanguageModel) -> str:
    """The likeliest first token of an answer, as the vocabulary calls it."""
    ids = model.tokenizer.encode("The capital of France is")
    (record,) = model.open([ids])
    query = NodeQuery(record, PROMPT, PROMPT, -1, np.array(ids[:1], dtype=np.int64))
    (row,) = model.rows([query])
    model.close(record)
    if (problem := flaw(row, query)) is not None:
        raise ModelError(problem)
    token = row.top[0][0]
    text = model.tokenizer.token_bytes[token]
    return model.tokenizer.token_name(token) if text is None else text.decode(errors="replace")


def _embedded_encoder() -> Part:
    name = embedded.ENCODER
    try:
        embedded.encoder_folder()
    except ModelError:
        return Part(name, "missing", embedded.ENCODER_ABOUT, embedded.ENCODER_COMMAND)
    return Part(name, "found", embedded.ENCODER_ABOUT)


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


# -- packages -----------------------------------------------------------------------------------


def _extras() -> Iterator[Extra]:
    for name in metadata("labelmass").get_all("Provides-Extra") or ():
        yield Extra(name, tuple(dict.fromkeys(_missing(name))))


def _missing(extra: str) -> Iterator[str]:
    """Requirements of an extra, and of those it names, that are not met."""
    for text in requires("labelmass") or ():
        needed = Requirement(text)
        marker = needed.marker
        if (
            marker is None
            or marker.evaluate({"extra": ""})
            or not marker.evaluate({"extra": extra})
        ):
            continue  # of another extra, or of none
        if needed.name == "labelmass":
            for other in sorted(needed.extras):
                yield from _missing(other)
            continue
        number = _version(needed.name)
        if number is None or not needed.specifier.contains(number, prereleases=True):
            yield text.partition(";")[0].strip()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


# -- threads and the cache ----------------------------------------------------------------------


def _threads() -> dict[str, int]:
    threads = {
        f"{one['internal_api']} {one['version'] or ''}".strip(): int(one["num_threads"])
        for one in threadpool_info()
        if one["user_api"] == "blas"
    }
    if "torch" in sys.modules:
        import torch

        threads["torch"] = torch.get_num_threads()
    return threads


def _cache(folder: Path) -> Cache:
    parent = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    entries: dict[str, list[Path]] = {kind: [] for kind in CACHE_KINDS}
    for child in _children(folder):
        known = child.name in CACHE_KINDS and child.is_dir()
        for entry in _children(child) if known else [child]:
            kind = child.name if known else "other"
            kind = "unfinished" if entry.name.startswith(UNFINISHED) else kind
            entries.setdefault(kind, []).append(entry)
    uses = (
        CacheUse(kind, len(paths), sum(map(_bytes, paths)))
        for kind, paths in entries.items()
        if paths
    )
    return Cache(str(folder), parent.is_dir() and os.access(parent, os.W_OK), tuple(uses))


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _bytes(path: Path) -> int:
    """Of a file, or of all files below a folder."""
    total = 0
    for one in (path, *path.rglob("*")):
        with suppress(OSError):  # it may have been removed meanwhile
            total += one.stat().st_size if one.is_file() else 0
    return total


# -- as a person reads it -----------------------------------------------------------------------


def _lines(installation: Installation) -> Iterator[str]:
    yield f"labelmass {installation.version}, Python {installation.python}, {installation.platform}"
    yield f"  in {installation.location}"
    yield "extras"
    for extra in installation.extras:
        state = f"lacks {', '.join(extra.missing)}" if extra.missing else "complete"
        yield from _line(extra.name, state, extra.cure)
    for title, parts in (("engines", installation.engines), ("models", installation.models)):
        yield title
        for part in parts:
            yield from _line(part.name, f"{part.state}: {part.about}", part.cure)
    yield "threads"
    for library, count in installation.threads.items():
        yield from _line(library, str(count))
    cache = installation.cache
    yield f"cache in {cache.folder}, {_size(cache.bytes)}"
    for use in cache.uses:
        about = CACHE_KINDS.get(use.kind, "what can be deleted")
        yield from _line(use.kind, f"{about}: {use.entries}, {_size(use.bytes)}")
    if not cache.writable:
        yield "  it cannot be written: set LABELMASS_CACHE to a folder that can"


def _line(name: str, about: str, cure: str | None = None) -> Iterator[str]:
    yield f"  {name:<{NAME_WIDTH}}  {about}"
    if cure is not None:
        yield f"  {'':<{NAME_WIDTH}}  {cure}"


def _size(count: int) -> str:
    """Bytes in the largest unit of which there is one, of powers of 1000."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes"
