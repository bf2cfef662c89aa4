"""The check of an installation: what it finds, what it tries, and the cures it names."""

from __future__ import annotations

import json
import subprocess
import sys
from email.message import Message
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import labelmass
from conftest import mood_model
from helpers.commands import run
from labelmass.errors import ModelError
from labelmass.lm import embedded
from labelmass.workflows import installation
from labelmass.workflows.installation import Installation, doctor

REQUIREMENTS = [
    'numpy>=2.0',
    'torch>=2.6; extra == "engine"',
    'labelmass[engine]; extra == "all"',
    'pyarrow>=17,<99; extra == "all"',
]  # fmt: skip


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An embedded model that answers at once, and an empty cache."""
    monkeypatch.setattr(embedded, "gguf_file", lambda: tmp_path / "model.gguf")
    monkeypatch.setattr("labelmass.lm.load.load", mood_model)
    monkeypatch.setenv("LABELMASS_CACHE", str(tmp_path / "cache"))


def pretend(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    """Let these packages be of these versions, or missing."""

    def pretended(name: str) -> str:
        if (number := versions.get(name, version(name))) is None:
            raise PackageNotFoundError(name)
        return number

    monkeypatch.setattr(installation, "version", pretended)


def test_it_says_what_is_here() -> None:
    result = doctor()
    assert isinstance(result, Installation) and result.problem is None
    assert result.version == labelmass.__version__
    assert result.python == sys.version.split()[0]
    assert Path(result.location) == Path(labelmass.__file__).parent
    assert result.threads["torch"] > 0 and len(result.threads) > 1


def test_the_engine_is_imported_and_the_model_asked() -> None:
    (engine,), (model, _) = doctor().engines, doctor().models
    assert engine.state == model.state == "works"
    assert f"torch {version('torch')}" in engine.about and " on c" in engine.about
    assert "wrote 'fear'" in model.about  # what the scripted model begins with


@pytest.mark.model
def test_the_embedded_model_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    model = doctor().models[0]
    assert model.state == "works" and "wrote ' Paris'" in model.about


def test_a_quick_check_imports_no_engine() -> None:
    lines = (
        "import sys, labelmass; found = labelmass.doctor(quick=True); "
        "assert not {'torch', 'transformers'} & set(sys.modules); print(found.engines[0].state)"
    )
    answer = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)
    assert answer.stdout == "found\n", answer.stderr


def test_a_missing_engine_is_a_problem_with_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, torch=None)
    result = doctor()
    assert result.engines[0].state == "missing" and result.models[0].state == "found"
    assert result.problem is not None
    assert "no torch" in result.problem
    assert "pip install 'labelmass[transformers]'" in result.problem


def test_an_engine_that_cannot_be_imported_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "labelmass.lm.transformers", None)
    result = doctor()
    (engine,) = result.engines
    assert engine.state == "broken" and "ModuleNotFoundError" in engine.about
    assert result.problem is not None and engine.about in result.problem


@pytest.mark.parametrize("error", [ModelError("its weights are damaged"), RuntimeError("no CPU")])
def test_a_model_that_fails_is_a_problem(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise error

    monkeypatch.setattr("labelmass.lm.load.load", load)
    result = doctor()
    assert result.models[0].state == "broken"
    assert result.problem is not None and str(error) in result.problem


def test_without_the_embedded_model_others_can_score(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ModelError("it is not installed")

    monkeypatch.setattr(embedded, "gguf_file", missing)
    result = doctor()
    assert result.models[0].state == "missing" and result.models[0].cure == embedded.COMMAND
    assert result.problem is None and embedded.COMMAND in str(result)


@pytest.mark.parametrize(
    ("torch", "pyarrow", "engine", "everything"),
    [
        ("2.10", "17.0.1", (), ()),
        ("2.5.1+cpu", "17", ("torch>=2.6",), ("torch>=2.6",)),
        ("2.6", None, (), ("pyarrow>=17,<99",)),
        (None, "100.0", ("torch>=2.6",), ("torch>=2.6", "pyarrow>=17,<99")),
    ],
)
def test_an_extra_names_the_requirements_that_are_not_met(
    monkeypatch: pytest.MonkeyPatch,
    torch: str | None,
    pyarrow: str | None,
    engine: tuple[str, ...],
    everything: tuple[str, ...],
) -> None:
    monkeypatch.setattr(installation, "requires", lambda name: REQUIREMENTS)
    about = Message()
    for extra in ("engine", "all"):
        about.add_header("Provides-Extra", extra)
    monkeypatch.setattr(installation, "metadata", lambda name: about)
    pretend(monkeypatch, torch=torch, pyarrow=pyarrow)
    extras = {extra.name: extra for extra in doctor(quick=True).extras}
    assert extras["engine"].missing == engine and extras["all"].missing == everything
    cure = "pip install 'labelmass[all]'" if everything else None
    assert extras["all"].cure == cure


def test_the_cache_is_counted_by_kind(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for name, size in {"gguf/a/x": 1500, "gguf/a/y": 500, "gguf/b/x": 1, "checks/c.json": 7,
                       "gguf/.partial-1/x": 40, "notes.txt": 3}.items():  # fmt: skip
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_bytes(b"x" * size)
    result = doctor(quick=True)
    uses = {use.kind: (use.entries, use.bytes) for use in result.cache.uses}
    expected = {"gguf": (2, 2001), "unfinished": (1, 40), "checks": (1, 7), "other": (1, 3)}
    assert uses == expected and result.cache.bytes == 2051
    assert f"cache in {cache}, 2.1 kB" in str(result)
    assert "converted models: 2, 2.0 kB" in str(result)


def test_a_cache_that_cannot_be_written_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LABELMASS_CACHE", str(tmp_path / "file"))
    result = doctor(quick=True)
    assert not result.cache.writable and "set LABELMASS_CACHE" in str(result)


def test_the_command_prints_the_report_or_json() -> None:
    assert run("doctor", "--quick").stdout == f"{doctor(quick=True)}\n"
    data = json.loads(run("doctor", "--quick", "--json").stdout)
    assert data == doctor(quick=True).to_dict()
    assert data["engines"][0]["state"] == "found" and "cure" in data["extras"][0]


def test_the_command_fails_with_the_cure_where_nothing_can_score(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, transformers=None)
    result = run("doctor", code=1)
    assert "transformers" in result.stdout
    assert "pip install 'labelmass[transformers]'" in str(result.exception)
