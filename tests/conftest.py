"""Shared fixtures, and the hooks that leave out tests whose prerequisites are missing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from helpers.prerequisites import PREREQUISITES, in_ci, missing
from labelmass.lm import check_cache
from labelmass.lm.base import LanguageModel
from labelmass.lm.scripted import ScriptedLanguageModel
from labelmass.scoring import prompt_choice
from labelmass.task import Task

LEFT_OUT = pytest.StashKey[Counter[str]]()

# A busy machine is slow, which says nothing about the code.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by their prerequisites, and leave out those that cannot be run here.

    Tests of the embedded model come first, those of whole pages before the others: they take
    longest, and one worker then loads it alone.
    """
    available = {name for name, one in PREREQUISITES.items() if one.available()}
    without = os.environ.get("LABELMASS_WITHOUT", "").split()
    left_out: list[pytest.Item] = []
    counts: Counter[str] = Counter()
    for item in items:
        for name, prerequisite in PREREQUISITES.items():
            if prerequisite.fixture in getattr(item, "fixturenames", ()):
                item.add_marker(name)
        markers = [mark.name for mark in item.iter_markers()]
        if absent := missing(markers, available, ci=in_ci(), without=without):
            left_out.append(item)
            counts[absent[0]] += 1
    config.stash[LEFT_OUT] = counts
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(
        key=lambda item: (
            item.get_closest_marker("model") is None,
            item.path.name not in ("test_tutorials.py", "test_readme.py"),
        )
    )
    if hasattr(config, "workeroutput"):
        config.workeroutput["left_out"] = dict(counts)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker has left out: all of them collect, and leave out, the same tests."""
    if counts := getattr(node, "workeroutput", {}).get("left_out"):
        node.config.stash[LEFT_OUT] = Counter(counts)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """A line for each prerequisite that tests were left out for."""
    for name, count in config.stash.get(LEFT_OUT, Counter()).items():
        prerequisite = PREREQUISITES[name]
        tests = f"{count} test{'' if count == 1 else 's'}"
        terminalreporter.write_line(
            f"left out: {tests} for want of {prerequisite.description} ({prerequisite.remedy})"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """In CI no test is skipped: one whose prerequisite is missing is left out, or fails."""
    report = yield
    if in_ci() and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which nothing may be in CI: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _cache_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Checks of models and choices of prompts are kept for this run and all of its workers.

    The user's cache may hold those that other code made.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check_cache, "folder", lambda: folder / "checks")
        patch.setattr(prompt_choice, "folder", lambda: folder / "prompts")
        yield


@pytest.fixture(scope="session", autouse=True)
def _fixed_version() -> Iterator[None]:
    """Runs are signed with one version, so that snapshots do not change with each commit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("labelmass.scores.signature.version", lambda name: "0.1.0")
        yield


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for what checks of models find."""
    folder = tmp_path / "checks"
    monkeypatch.setattr(check_cache, "folder", lambda: folder)
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
    from labelmass.lm.load import load

    return load(device="cpu", dtype="float32")
