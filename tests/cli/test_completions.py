"""Completion of commands, options and names, as shells ask for it."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete, CompletionItem

from helpers.commands import run
from labelmass.cli import cli, walk
from labelmass.cli.completions import SHELLS, VARIABLE
from labelmass.estimators import ESTIMATORS
from labelmass.evaluation.metrics import METRICS
from labelmass.targets import GOLD
from labelmass.task import presets

FREE = {
    *("--text-column", "--id-column", "--labels-column", "--gold-field", "--id", "--group", "--by"),
    *("--goal", "--parts", "--labels", "--question", "--sheet", "--served-model"),
    *("--alias", "--host"),
}
"""Options whose values nobody can list."""


def completed(line: str) -> list[CompletionItem]:
    """What the last word of a line is completed with."""
    *words, last = line.split(" ")
    return BashComplete(cli, {}, "labelmass", VARIABLE).get_completions(words, last)


def values(line: str) -> list[str]:
    return [item.value for item in completed(line)]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """`labelmass` as an installation puts it on PATH."""
    script = tmp_path / "bin" / "labelmass"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nfrom labelmass.cli import main\nmain()\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    return str(script)


def test_commands_and_options_are_completed() -> None:
    assert values("s") == ["score", "serve", "show"]
    assert values("fit ") == ["encoder", "probe", "rule"]
    assert values("score --label-") == ["--label-order", "--label-permutations"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("score x --task ", list(presets())),
        ("show task llama-g", [name for name in presets() if name.startswith("llama-g")]),
        ("score x --method ", list(ESTIMATORS)),
        ("evaluate x --metric ", list(METRICS)),
        ("evaluate x --gold ", list(GOLD)),
        ("score x --normalise ", ["raw", "on-format", "masked"]),
        ("data import conv", ["convabuse"]),
        ("show completions ", list(SHELLS)),
    ],
)
def test_names_are_those_of_the_registries(line: str, expected: list[str]) -> None:
    assert values(line) == expected


def test_the_last_of_several_methods_is_completed_and_none_twice() -> None:
    assert values("score x --method hard,token,fix") == ["hard,token,fixed-place"]
    assert "hard,hard" not in values("score x --method hard,")


def test_models_are_those_of_the_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("models--meta-llama--Llama-Guard-3-8B", "models--gpt2"):
        (tmp_path / name / "snapshots" / "abc").mkdir(parents=True)
        (tmp_path / name / "snapshots" / "abc" / "config.json").touch()
    (tmp_path / "models--half--fetched" / "blobs").mkdir(parents=True)
    (tmp_path / "datasets--x--y" / "snapshots" / "abc").mkdir(parents=True)
    assert values("score x --model ") == ["smollm2", "gpt2", "meta-llama/Llama-Guard-3-8B"]


@pytest.mark.parametrize(
    "line",
    [
        "score ", "compare texts", "score x --task my-task", "score x --model ./", "explain tr",
        "evaluate x --targets ", "decide x --policy ", "score x --rule ", "score --options ",
        "data import wide-csv ", "train ", "fit encoder ",
    ],
)  # fmt: skip
def test_files_are_completed_by_the_shell(line: str) -> None:
    assert {item.type for item in completed(line)} == {"file"}


def test_every_option_of_words_completes() -> None:
    for words, command in walk(cli):
        for param in command.params:
            if isinstance(param, click.Option) and param.type is click.STRING:
                flag = max(param.opts, key=len)
                context = click.Context(command)
                assert flag in FREE or param.shell_complete(context, ""), (words, flag)


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script_that_asks_the_program(shell: str) -> None:
    script = run("show", "completions", shell).stdout
    assert f"{VARIABLE}={shell}_complete" in script


@pytest.mark.parametrize("shell", SHELLS)
def test_the_program_answers_each_shell(program: str, shell: str) -> None:
    typed = {"COMP_WORDS": "labelmass score x --task emotions-", VARIABLE: f"{shell}_complete"}
    typed["COMP_CWORD"] = "emotions-" if shell == "fish" else "4"
    answer = subprocess.run(
        [program], env=os.environ | typed, capture_output=True, text=True, check=True
    )
    assert "emotions-6" in answer.stdout and "goemotions" not in answer.stdout
    assert answer.stderr == ""


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("show ta", ["task"]),
        ("score x --task emotions-", ["emotions-6"]),
        ("score x --method hard,fix", ["hard,fixed-place"]),
    ],
)
def test_bash_completes(words: str, expected: list[str]) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    count = len(words.split())
    lines = f"""
        eval "$(labelmass show completions bash)"
        COMP_WORDS=(labelmass {words})
        COMP_CWORD={count}
        _labelmass_completion labelmass
        printf '%s\\n' "${{COMPREPLY[@]}}"
        complete -p labelmass
    """
    shell = [bash, "--norc", "--noprofile", "-c", lines]
    answer = subprocess.run(shell, capture_output=True, text=True, check=True)
    *replies, registered = answer.stdout.splitlines()
    assert replies == expected
    assert "-F _labelmass_completion labelmass" in registered and answer.stderr == ""


CASES = [
    ("show comp", "labelmass show completions"),
    ("score x --label-o", "labelmass score x --label-order"),
    ("score x --task emotions-", "labelmass score x --task emotions-6"),
    ("score x --method hard,fix", "labelmass score x --method hard,fixed-place"),
]
"""What is typed before the tab key, and the line after it."""


@pytest.mark.zsh
@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(("typed", "line"), CASES)
def test_zsh_completes(typed: str, line: str, tmp_path: Path) -> None:
    """From a folder of functions, as the help of `show completions` says."""
    (tmp_path / "_labelmass").write_text(run("show", "completions", "zsh").stdout)
    keys = [
        f"fpath=({tmp_path} $fpath); autoload -U compinit; compinit -u -D; bindkey -e\n",
        f"labelmass {typed}\t",
        "\x01echo LINE: \n",  # to the beginning of the line, to print instead of run it
    ]
    assert typed_at(["zsh", "-f", "-i"], keys, "LINE: .*").rstrip() == f"LINE: {line}"


@pytest.mark.fish
@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(("typed", "line"), CASES)
def test_fish_completes(
    typed: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the folder of completions, as the help of `show completions` says."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "fish" / "completions"
    folder.mkdir(parents=True)
    (folder / "labelmass.fish").write_text(run("show", "completions", "fish").stdout)
    shell = ["fish", "-c", f"complete -C 'labelmass {typed}'"]
    answer = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert line.rpartition(" ")[2] in answer.stdout.split() and answer.stderr == ""


def typed_at(command: list[str], keys: list[str], line: str, seconds: float = 30) -> str:
    """Type keys into a program on a terminal, and wait for a line of its output.

    Args:
        line: Regular expression that the whole line matches.
        seconds: How long to wait.
    """
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "dumb", "PS1": "", "COLUMNS": "200"}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    ) as shell:
        os.close(theirs)
        os.write(ours, "".join(keys).encode())
        shown, until = b"", time.monotonic() + seconds
        try:
            while time.monotonic() < until:
                if select.select([ours], [], [], 0.2)[0]:
                    shown += os.read(ours, 4096)
                text = shown.decode(errors="replace").replace("\r", "")
                if match := re.search(rf"^({line})\n", text, re.MULTILINE):
                    return match[1]
        finally:
            shell.kill()
            os.close(ours)
    raise AssertionError(f"no line {line!r} in:\n{shown.decode(errors='replace')}")
