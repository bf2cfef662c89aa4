"""`labelmass train`, and commands that are given what it made."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from helpers.commands import records, run, write_lines
from training.tiny_model import TASK, annotated, save_base

SHORT = ("--epochs", "2", "--batch-size", "4", "--learning-rate", "0.01", "--dev-share", "0.25")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_base(tmp_path_factory.mktemp("bases") / "base"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("mood.toml").write_text(TASK)
    write_lines("people.jsonl", annotated())
    return tmp_path


def train(base: str, *more: str, code: int = 0) -> str:
    args = ("train", "people.jsonl", "--task", "mood.toml", "-m", base, *SHORT, "--out", "tuned")
    return run(*args, *more, code=code).stderr


def test_a_trained_model_brings_its_task(folder: Path, base: str) -> None:
    told = train(base)
    assert "12 records, 4 held out, at most 6 steps" in told
    assert "epoch 1: loss" in told and "epoch 2: loss" in told and "finished" in told
    result = run("score", "people.jsonl", "--model", "tuned", "--out", "scores.jsonl")
    assert "task mood, as tuned was trained on" in result.stderr
    scored = records("scores.jsonl")
    assert scored[0]["labels"].keys() == {"joy", "fear", "joyful"}
    signature = scored[0]["signature"]
    assert signature["model"] == "tuned (fine-tuned base)"
    note = json.loads(Path("tuned/labelmass.json").read_text())
    assert signature["fingerprint"] != note["base"]["fingerprint"]
    assert signature["dtype"] == note["base"]["dtype"] == "float32"


def test_a_log_gets_a_line_from_time_to_time(
    folder: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelmass.cli.progress.LOGGED", 0.0)
    told = train(base)
    assert "training, step 2 of 6, epoch 1  loss" in told
    assert "validation 2/4, step 3 of 6" in told


def test_another_task_is_warned_of(folder: Path, base: str) -> None:
    train(base)
    same = run("show", "prompt", "people.jsonl", "-m", "tuned", "-t", "mood.toml", "-k", "0")
    assert "warning" not in same.stderr
    Path("other.toml").write_text(TASK.replace("Moods", "Feelings"))
    told = run(
        "show", "prompt", "people.jsonl", "-m", "tuned", "-t", "other.toml", "-k", "0"
    ).stderr
    assert "warning: tuned was trained on mood@" in told and ": instruction differ" in told
    told = run("show", "prompt", "people.jsonl", "-m", "tuned", "--no-chat").stderr
    assert ": chat differ" in told
    assert "name a task" in run("show", "prompt", "people.jsonl", "-m", base, code=2).output


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--full", "--rank", "4"), "--full trains no adapter: leave out --rank"),
        (("--dev", "people.jsonl"), "--dev sets nothing aside: leave out --dev-share"),
        (
            ("--dev-share", "0", "--patience", "3", "--validation-max-nodes", "9"),
            "--dev-share 0 validates on nothing: leave out --patience, --validation-max-nodes",
        ),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    folder: Path, base: str, given: tuple[str, ...], said: str
) -> None:
    assert said in train(base, *given, code=2)
    assert not Path("tuned").exists()


def test_scores_of_records_it_was_trained_on_are_warned_of(folder: Path, base: str) -> None:
    train(base)
    told = run("score", "people.jsonl", "--model", "tuned", "--out", "all.jsonl").stderr
    assert "warning: tuned was trained or validated on 16 of the records of people.jsonl" in told
    write_lines("new.jsonl", [{"id": "n", "text": "happy 99"}])
    assert "warning" not in run("score", "new.jsonl", "--model", "tuned").stderr
    told = run("fit", "probe", "people.jsonl", "--model", "tuned", "--out", "probe").stderr
    assert "warning: tuned was trained or validated on 16 of the records of people.jsonl" in told


def test_ctrl_c_leaves_a_checkpoint_and_the_same_command_goes_on(
    folder: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labelmass.training.loop import Loop

    usual = Loop._step

    def interrupted(self: Loop, batch: Any) -> None:
        if self.progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        usual(self, batch)

    monkeypatch.setattr(Loop, "_step", interrupted)
    before = signal.getsignal(signal.SIGINT)
    told = train(base, code=130)
    assert signal.getsignal(signal.SIGINT) is before
    assert "stopping after this step" in told
    assert "not finished, 12 records, 3 steps" in told and "same command" in told
    assert Path("tuned/checkpoint.safetensors").is_file()
    refused = run("score", "people.jsonl", "--model", "tuned", code=1)
    assert "the training in tuned is not finished" in str(refused.exception)
    told = train(base)
    assert "going on after step 3" in told and "finished" in told
    assert not Path("tuned/checkpoint.safetensors").exists()
    assert "12 records, 6 steps" in train(base)  # and once more: nothing to do


def test_time_is_a_limit_too(folder: Path, base: str) -> None:
    assert "0 steps" in train(base, "--minutes", "1e-9", code=130)
    refused = run(
        *("train", "people.jsonl", "-t", "mood.toml", "-m", base, *SHORT, "--rank", "4"),
        *("--out", "tuned"),
        code=1,
    )
    assert "settings.rank was 16, now 4" in str(refused.exception)


def test_what_is_left_out_is_told(folder: Path, base: str) -> None:
    rows = [*annotated(), {"id": "odd", "text": "sad", "labels": ["anger"]}]
    write_lines("people.jsonl", rows)
    told = train(base, "--balance", "inverse-frequency", "--answer-order", "shuffled", "--autocast")
    assert "left out 'odd': record 'odd': label 'anger' is not in the task" in told
    assert "1 records left out, see tuned/skipped.jsonl" in told


def test_demonstrations_are_shown_only_if_asked_for(folder: Path, base: str) -> None:
    shown = [{"text": "happy", "labels": ["joy"]}]
    write_lines("demos.jsonl", shown)
    train(base, "--demonstrations-file", "demos.jsonl", "-k", "1")
    told = run("show", "prompt", "people.jsonl", "-m", "tuned", "--json")
    assert json.loads(told.stdout.splitlines()[0])["text"].count("happy") == 2


def test_judging_on_what_was_learnt_is_warned_of(folder: Path, base: str) -> None:
    train(base)
    new = [{**row, "id": f"n{i}", "text": f"{row['text']}!"} for i, row in enumerate(annotated(4))]
    write_lines("test.jsonl", [*new, *annotated(2)])
    told = run("compare", "test.jsonl", "-m", "tuned", "--draws", "10", "--out", "run").stderr
    assert "warning: tuned was trained or validated on 2 of the records of test.jsonl" in told
    assert Path("run/tuned-fine-tuned-base/run.json").is_file()
    write_lines("new.jsonl", new)
    told = run("compare", "new.jsonl", "-m", "tuned", "--draws", "10", "--out", "run2").stderr
    assert "warning" not in told
