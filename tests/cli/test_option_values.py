"""Whatever an option or an argument is set to, a command works or says what is wrong with it.

Every parameter of every command is given values of every kind, in a command line that works
otherwise. A few hundred seeded ones always; all of them with `make check-long`.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from conftest import TASK
from fuzz.artefacts import OURS
from fuzz.dataset_files import FILES
from helpers.annotated_records import annotated, level_model
from helpers.commands import run, write_lines
from helpers.property_tests import LONG
from labelmass.cli import cli, walk
from labelmass.cli.exits import Exit
from labelmass.cli.models import ModelLoader
from labelmass.errors import ModelError
from training.tiny_model import save_base

MOOD = ("-t", "mood.toml")
JUDGED = ("--targets", "dev.jsonl", *MOOD, "--gold", "majority")

WORKING: dict[str, tuple[str, ...]] = {
    "score": ("dev.jsonl", *MOOD, "--limit", "1000"),
    "compare": ("trees", "--gold", "majority", "--draws", "2", "--out", "run"),
    "evaluate": ("scores.jsonl", *JUDGED, "--draws", "2"),
    "calibrate": ("scores.jsonl", *JUDGED, "--out", "out.json"),
    "tune": ("scores.jsonl", *JUDGED, "--goal", "f1", "--out", "out.toml"),
    "decide": ("scores.jsonl", "--policy", "policy.toml"),
    "drift": ("scores.jsonl", "--policy", "policy.toml"),
    "analyse": ("compared",),
    "report": ("compared",),
    "fit encoder": ("dev.jsonl", *MOOD, "--out", "fitted"),
    "fit rule": (
        "trees",
        "--uncertainty",
        "entropy",
        "--gold-field",
        "chosen",
        "--out",
        "out.json",
    ),
    "explain": ("level 7", *MOOD),
    "show prompt": ("dev.jsonl", *MOOD),
    "data import": ("wide-csv", "rows.csv", "--out", "out.jsonl"),
    "data split": ("dev.jsonl", "--parts", "a=0.5", "b=0.5", "--out", "parts"),
    "data sources": (),
    "list tasks": (),
    "list guards": (),
    "show task": ("emotions",),
    "show completions": ("bash",),
    "doctor": ("--quick",),
    "new key": ("website", "--keys", "keys.toml"),
    "list methods": (),
    "list models": (),
    "train": ("dev.jsonl", *MOOD, "--model", "base", "--epochs", "1", "--out", "model"),
}
"""By command, arguments and options that work."""

NOT_WORKING = {
    "fit probe": ("dev.jsonl", *MOOD, "--out", "fitted"),
    "new task": ("new.toml", "--labels", "a,b"),
    "serve": ("--check", *MOOD),
}
"""What the scripted model cannot do: it has no states to read, and reads no texts but its own."""

VALUES = (
    *("", " ", "x", "=", "a=b", "-", "--", "-1", "0", "1", "nan", "inf", "-inf", "1e400", "1e-400"),
    *(
        "1000000000000",
        "9" * 400,
        "x" * 5000,
        "\u202e\U0001f600",
        "\udcff",
        "e\u0301",
        "a\nb",
        "%s{}",
        "[",
        "*",
    ),
    *("folder", "missing", "missing.jsonl", "missing/x.json", "texts.txt", "dev.jsonl/x"),
    *("dev.jsonl", "mood.toml", "scores.jsonl", "trees", "policy.toml", "rows.csv", "latin.csv"),
)
"""Values of every kind: numbers that are none, names too long, a folder for a file and so on."""

ENDS = (Exit.DONE, Exit.FAILED, Exit.FELL_SHORT)

FITTING = ("-", "1e-400", "0", "1", "texts.txt", "dev.jsonl", "rows.csv", "latin.csv")
"""Values that may be well taken where they stand, so that an error may be of something else."""

SAMPLE = 12
"""Values tried of each command where not all are."""


BY_WORDS = {" ".join(words): one for words, one in walk(cli) if not isinstance(one, click.Group)}
"""Commands by the words that call them."""


def parameters(command: str) -> list[click.Parameter]:
    return [param for param in BY_WORDS[command].params if not getattr(param, "is_flag", False)]


def lines(command: str) -> Iterator[tuple[click.Parameter, str, list[str]]]:
    """Each parameter with each value, in the command line that works otherwise."""
    working = (WORKING | NOT_WORKING)[command]
    for param in parameters(command):
        for value in VALUES:
            words = list(working)
            if isinstance(param, click.Argument):
                words[:1] = [value]
            elif at := [n for n, word in enumerate(words) if word in param.opts]:
                words[at[0] + 1] = value
            else:
                words += [param.opts[0], value]
            yield param, value, words


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Well-formed files of every kind that commands take."""
    folder = tmp_path_factory.mktemp("values")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("helpers.commands.loader", lambda *a, **k: level_model())
        Path("folder").mkdir()
        save_base(Path("base"))
        Path("mood.toml").write_text(TASK)
        Path("texts.txt").write_text("level 3\nlevel 700\n")
        Path("rows.csv").write_text(FILES["wide-csv"]["rows.csv"])
        Path("latin.csv").write_bytes("id,text\n1,Café\n".encode("latin-1"))
        write_lines("dev.jsonl", [row | {"chosen": ["joy"]} for row in annotated(24)])
        run("score", "dev.jsonl", *MOOD, "--keep-trees", "trees", "--out", "scores.jsonl")
        run("tune", "scores.jsonl", *JUDGED, "--goal", "f1", "--out", "policy.toml")
        shutil.copytree("trees", "compared/model")
        methods = ("--method", "any-place,hard", "--gold", "majority", "--draws", "2")
        run("compare", "compared", *methods, "--out", "compared")
    return folder


@pytest.fixture
def here(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return prepared


def invoke(prepared: Path, command: str, words: list[str], load: Callable[..., Any]) -> Result:
    """Run a command in a fresh copy of the files, on models that it is handed."""
    for old in Path().iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    shutil.copytree(prepared, ".", dirs_exist_ok=True)
    return CliRunner().invoke(cli, [*command.split(), *words], input="", obj=ModelLoader(load))


@pytest.mark.long
@pytest.mark.parametrize("command", BY_WORDS)
def test_values_work_or_are_told_for_what_they_are(command: str, here: Path) -> None:
    def load(*args: Any, **options: Any) -> Any:
        if command in NOT_WORKING:
            raise ModelError("no model")
        return level_model()

    if command in WORKING:
        done = invoke(here, command, list(WORKING[command]), load)
        assert done.exit_code == 0, (done.output, done.exception)
    tried = list(lines(command))
    if not LONG:
        tried = random.Random(command).sample(tried, min(SAMPLE, len(tried)))
    for param, value, words in tried:
        done = invoke(here, command, words, load)
        error = done.exception
        assert done.exit_code in ENDS, words
        assert error is None or isinstance(error, (*OURS, SystemExit)), (words, error)
        if done.exit_code == 2 and value not in FITTING:
            assert names(done.stderr, param, value), (words, done.stderr)
        assert error is None or str(error)


def names(message: str, param: click.Parameter, value: str) -> bool:
    """Whether a message names the parameter, or shows what it was set to."""
    shown = (*param.opts, *param.secondary_opts, param.human_readable_name, value, repr(value))
    return "No such option" in message or any(one in message for one in shown)
