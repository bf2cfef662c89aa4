"""A training from data to a model that scores, stopped and gone on with, saved and refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import labelmass
from labelmass.errors import LabelMassError, ModelError
from labelmass.lm.adapted import read_note, trained_on
from labelmass.training import Settings, TrainingResult, train
from training.tiny_model import MEANT, annotated, save_base, task

LEARN = Settings(
    full=True,
    learning_rate=3e-3,
    epochs=40,
    patience=40,
    dev_share=0.0,
    answers="gold",
    batch_size=8,
)
SHORT = Settings(learning_rate=1e-2, epochs=3, batch_size=4, dropout=0.2, dev_share=0.25, seed=5)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_base(tmp_path_factory.mktemp("bases") / "base"))


@pytest.fixture(scope="module")
def tuned(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter, finished."""
    folder = tmp_path_factory.mktemp("tuned") / "moods"
    train(annotated(), task(), base, out=folder, settings=SHORT)
    return folder


def test_a_tiny_model_learns_every_answer(base: str, tmp_path: Path) -> None:
    found = train(annotated(), task(), base, out=tmp_path / "out", settings=LEARN)
    assert found.finished and found.epochs[-1].loss < 0.1 < found.epochs[0].loss
    model = labelmass.load(str(tmp_path / "out"))
    assert model.name == "out (fine-tuned base)"
    plain = labelmass.load(base)
    assert model.tokenizer.fingerprint == plain.tokenizer.fingerprint
    assert model.tokenizer.end_ids == plain.tokenizer.end_ids
    results = labelmass.score(annotated(), task(), model, keep_trees=True)
    for one, result in zip(annotated(), results, strict=True):
        assert result.tree.greedy_text == (", ".join(one["labels"]) or "none")
        for label in task().label_names:
            assert result[label].p == pytest.approx(float(label in one["labels"]), abs=0.1)


def test_the_annotators_distribution_is_learnt_and_not_the_majority(
    base: str, tmp_path: Path
) -> None:
    votes = {"happy": [["joy"], ["joy"], []], "sad": [["fear"], ["fear", "joyful"], ["joyful"]]}
    rows = [
        {"id": f"{word}{i}", "text": f"{word} {i}", "annotators": said}
        for i in range(6)
        for word, said in votes.items()
    ]
    settings = Settings(**LEARN.to_dict() | {"answers": "annotators", "epochs": 42})
    train(rows, task(), base, out=tmp_path / "out", settings=settings)
    scored = labelmass.score(rows, task(), labelmass.load(str(tmp_path / "out")), keep_trees=True)
    p = scored.to_numpy().reshape(6, 2, 3).mean(axis=0)
    np.testing.assert_allclose(p, [[2 / 3, 0, 0], [0, 2 / 3, 2 / 3]], atol=0.12)
    # joint, too: one in three says both
    both = np.mean([scored[i].pair("fear", "joyful").p for i in range(1, 12, 2)])
    assert both == pytest.approx(1 / 3, abs=0.12)


@pytest.mark.parametrize(("balance", "share"), [("none", 0.75), ("inverse-frequency", 0.5)])
def test_rare_answers_weigh_more_where_that_is_asked_for(
    base: str, tmp_path: Path, balance: str, share: float
) -> None:
    rows = [{"id": i, "text": "happy", "labels": ["joy"] if i % 4 else []} for i in range(32)]
    settings = Settings(**LEARN.to_dict() | {"balance": balance, "epochs": 30})
    train(rows, task(), base, out=tmp_path / "out", settings=settings)
    (found,) = labelmass.score(["happy"], task(), labelmass.load(str(tmp_path / "out")))
    assert found["joy"].p == pytest.approx(share, abs=0.08)


class Killed(Exception):
    pass


def test_shares_of_one_label_weigh_as_the_annotators_they_sum_up(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[float]] = []

    class Seen(Exception):
        pass

    def stop(*given: Any, **how: Any) -> None:
        seen.append(next(one for one in given if isinstance(one, list)))
        raise Seen

    monkeypatch.setattr("labelmass.training.loop.Loop", stop)
    single = task(format={"kind": "comma", "single": True, "empty": False})
    votes = [["joy", "fear", "joyful"], ["joy", "joy", "fear"], ["joy", "joy", "joy"]]
    shares = [{name: vote.count(name) / 3 for name in set(vote)} for vote in votes]
    said = (
        [{"annotators": [[name] for name in vote]} for vote in votes],
        [{"distribution": share} for share in shares],
    )
    settings = Settings(balance="inverse-frequency", dev_share=0.0)
    for some in said:
        rows = [{"id": f"r{i}", "text": f"happy {i}", **one} for i, one in enumerate(some)]
        with pytest.raises(Seen):
            train(rows, single, base, out=tmp_path / str(len(seen)), settings=settings)
    assert seen[0] == pytest.approx(seen[1])
    assert len(set(seen[0])) == 3


@pytest.mark.parametrize("full", [False, True], ids=["adapter", "full"])
def test_a_stopped_training_gives_the_same_weights(base: str, tmp_path: Path, full: bool) -> None:
    settings = Settings(**SHORT.to_dict() | {"full": full})
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    straight = train(annotated(), task(), base, out=whole, settings=settings)

    def again(**options: Any) -> TrainingResult:
        return train(annotated(), task(), base, out=parts, settings=settings, **options)

    def kill(progress: Any, steps: int, doing: str) -> None:
        if progress.step == 5:
            raise Killed

    asked = iter([False, False, True])
    first = again(stop=lambda: next(asked))
    assert not first.finished and first.steps == 2
    rows = annotated()
    for other, told in (
        ([{**rows[0], "text": "new"}, *rows[1:]], r": \d+ gone, \d+ new"),
        (rows[::-1], "the same texts in another order, or with other answers"),
    ):
        with pytest.raises(LabelMassError, match=f"another training .records.*{told}"):
            train(other, task(), base, out=parts, settings=settings)
    with pytest.raises(ModelError, match="not finished"):
        labelmass.load(str(parts))
    with pytest.raises(Killed):  # two steps after its last checkpoint
        again(save_every=3, watch=kill)
    validating = iter([False] * 4 + [True] * 9)
    assert not again(stop=lambda: next(validating)).finished
    last = again()
    assert last.finished and last.steps == straight.steps and last.tokens == straight.tokens
    assert [e.loss for e in last.epochs] == [e.loss for e in straight.epochs]
    assert [e.validation for e in last.epochs] == [e.validation for e in straight.epochs]
    name = "model.safetensors" if full else "adapter_model.safetensors"
    one, other = load_file(whole / name), load_file(parts / name)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert {p.name for p in whole.iterdir()} == {p.name for p in parts.iterdir()}
    assert not [p for p in parts.iterdir() if "checkpoint" in p.name or "best" in p.name]
    assert again() == last  # finished is left as it is


def test_a_training_that_an_earlier_version_began_goes_on(base: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    none = task(format={"kind": "comma", "empty": "nothing"})

    def again() -> TrainingResult:
        return train(annotated(), none, base, out=out, settings=SHORT, stop=lambda: True)

    assert not again().finished
    note = json.loads((out / "labelmass.json").read_text())
    former = json.loads(json.dumps(note))
    settings, form = former["settings"], former["task"]["format"]
    settings["rate"], settings["nodes"] = settings.pop("learning_rate"), settings.pop("max_nodes")
    form["none"] = form.pop("empty")
    (out / "labelmass.json").write_text(json.dumps(former))
    assert not again().finished
    for damaged in ({"settings": 5}, {"task": [1]}, {"task": {"labels": 3}}):
        (out / "labelmass.json").write_text(json.dumps(note | damaged))
        with pytest.raises(LabelMassError, match="holds another training"):
            again()


def test_an_adapter_scores_as_its_merged_weights_and_as_itself(
    base: str, tuned: Path, tmp_path: Path
) -> None:
    from peft import PeftModel

    from labelmass.lm import sources
    from labelmass.lm.transformers import TransformersModel

    model = labelmass.load(str(tuned))
    texts = [row["text"] for row in annotated()]
    p = labelmass.score(texts, task(), model, tolerance=1e-4).to_numpy()
    plain = labelmass.load(base)
    assert np.abs(p - labelmass.score(texts, task(), plain, tolerance=1e-4).to_numpy()).max() > 0.01
    # beside the weights, never added to them
    with sources.quiet():
        beside = PeftModel.from_pretrained(plain.network, str(tuned)).get_base_model()
    other = TransformersModel(beside, plain.tokenizer, name="beside")
    np.testing.assert_allclose(
        labelmass.score(texts, task(), other, tolerance=1e-4).to_numpy(), p, atol=1e-4
    )
    # merged by hand: W + alpha / rank * B A
    merged: Any = labelmass.load(base)
    weights = load_file(tuned / "adapter_model.safetensors")
    with torch.no_grad():
        for name, module in merged.network.named_modules():
            if f"base_model.model.{name}.lora_A.weight" in weights:
                a, b = (weights[f"base_model.model.{name}.lora_{s}.weight"] for s in "AB")
                module.weight += SHORT.alpha / SHORT.rank * (b @ a)
    merged.network.save_pretrained(tmp_path)
    merged.tokenizer.save(tmp_path)
    saved = labelmass.load(str(tmp_path))
    np.testing.assert_allclose(
        labelmass.score(texts, task(), saved, tolerance=1e-4).to_numpy(), p, atol=1e-4
    )


def test_the_folder_says_what_it_is(base: str, tuned: Path) -> None:
    model = labelmass.load(str(tuned))
    assert model.name == "moods (fine-tuned base)" and model.engine == "transformers/tree-attention"
    note = json.loads((tuned / "labelmass.json").read_text())
    assert model.trained_for == task().with_options(k=0).hash
    assert labelmass.load(base).trained_for is None
    assert labelmass.Task.from_dict(note["task"]) == task().with_options(k=0)
    assert labelmass.Task.load(tuned / "task.json").hash == task().with_options(k=0).hash
    assert note["base"]["asked"] == base
    assert note["base"]["fingerprint"] == labelmass.load(base).fingerprint
    assert note["settings"] == SHORT.to_dict()
    result = note["result"]
    assert result["records"] == 12 and result["metric"] == "nll"
    assert result["steps"] == len(json.loads((tuned / "curve.json").read_text())["loss"])
    assert result["cost"]["answer_tokens"] < result["cost"]["tokens"]
    best = min(range(len(result["epochs"])), key=lambda e: result["epochs"][e]["validation"])
    assert result["best"] == best
    digests = json.loads((tuned / "records.json").read_text())
    assert len(digests["train"]) == 12 and len(digests["dev"]) == 4
    assert not {*digests["train"]} & {*digests["dev"]}
    assert (tuned / "curve.svg").read_text().startswith("<svg")


def test_the_fingerprint_is_of_base_and_adapter(base: str, tuned: Path, tmp_path: Path) -> None:
    other = train(
        annotated(),
        task(),
        base,
        out=tmp_path / "o",
        settings=Settings(**SHORT.to_dict() | {"seed": 6}),
    )
    models = [labelmass.load(name) for name in (base, str(tuned), str(other.folder))]
    assert len({model.fingerprint for model in models}) == 3


def test_an_adapter_on_an_adapter(tuned: Path, tmp_path: Path) -> None:
    further = train(annotated(), task(), str(tuned), out=tmp_path / "more", settings=SHORT)
    assert (
        further.epochs[0].loss
        < json.loads((tuned / "labelmass.json").read_text())["result"]["epochs"][0]["loss"]
    )
    name = "more (fine-tuned moods (fine-tuned base))"
    assert labelmass.load(str(further.folder)).name == name


def test_what_its_base_was_trained_on_counts_as_its_own(tuned: Path, tmp_path: Path) -> None:
    others = [{**row, "text": f"{row['text']}!"} for row in annotated()]
    for full in (False, True):
        settings = Settings(**SHORT.to_dict() | {"full": full, "epochs": 1})
        out = tmp_path / str(full)
        train(others, task(), str(tuned), out=out, settings=settings)
        assert trained_on(out) > trained_on(tuned)
        assert len(trained_on(out)) == 32


def test_a_folder_called_as_a_built_in_model_is_not_taken_for_one(
    base: str, tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabelMassError, match="smollm2 is the name of a built-in model"):
        train(annotated(), task(), base, out="smollm2", settings=SHORT)
    shutil.copytree(tuned, "smollm2")
    assert read_note("smollm2") is None
    assert read_note(tmp_path / "smollm2") is not None


def test_a_rank_above_the_width_of_the_model_is_refused(base: str, tmp_path: Path) -> None:
    train(annotated(), task(), base, out=tmp_path / "widest", settings=replace(SHORT, rank=32))
    for rank in (33, 10**12):
        with pytest.raises(LabelMassError, match=rf"rank is {rank}: an integer of at most 32"):
            train(
                annotated(), task(), base, out=tmp_path / "out", settings=replace(SHORT, rank=rank)
            )


def test_another_base_is_refused(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base")
    train(annotated(), task(), str(base), out=tmp_path / "out", settings=SHORT)
    former = labelmass.load(str(base)).fingerprint
    save_base(base, seed=9)
    with pytest.raises(ModelError, match=rf"{former}.*{labelmass.load(str(base)).fingerprint}"):
        labelmass.load(str(tmp_path / "out"))
    (tmp_path / "base" / "config.json").unlink()
    with pytest.raises(ModelError, match=r"base of the adapter in .*out"):
        labelmass.load(str(tmp_path / "out"))


def test_without_peft_the_command_that_helps(
    base: str, tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(ModelError, match=r"pip install 'labelmass\[train\]'"):
        labelmass.load(str(tuned))
    with pytest.raises(ModelError, match=r"pip install 'labelmass\[train\]'"):
        train(annotated(), task(), base, out=tmp_path / "out")


def test_another_training_in_the_folder_is_refused_by_what_differs(
    base: str, tuned: Path, tmp_path: Path
) -> None:
    def again(**changed: Any) -> TrainingResult:
        usual = {"data": annotated(), "task": task(), "model": base, "settings": SHORT}
        return train(**usual | changed, out=tuned)

    with pytest.raises(LabelMassError, match=r"settings\.rank was 16, now 4"):
        again(settings=Settings(**SHORT.to_dict() | {"rank": 4}))
    with pytest.raises(LabelMassError, match=r"records learnt: 1 gone, 0 new"):
        again(data=annotated(15))
    with pytest.raises(LabelMassError, match=r"task\.instruction was"):
        again(task=task(instruction="Which?"))
    with pytest.raises(LabelMassError, match=r"base\.fingerprint was"):
        again(model=str(save_base(tmp_path / "base", seed=8)))
    with pytest.raises(LabelMassError, match="other files"):
        train(annotated(), task(), base, out=Path(base))


def test_records_that_are_left_out_are_told(base: str, tmp_path: Path) -> None:
    rows: list[Any] = [
        *annotated(8),
        {"id": "empty", "text": " ", "labels": []},
        {"id": "blank", "text": "sad 5", "labels": ["fear"], "unknown": ["joy"]},
        {"id": "odd", "text": "sad 6", "labels": ["anger"]},
        {"id": "dev", "text": "calm 99", "labels": []},
    ]
    dev = [
        {"id": "d1", "text": "calm 99", "labels": []},
        {"id": "d2", "text": "sad 7", "labels": ["fear"], "unknown": ["joy"]},
        {"id": "d3", "text": "sad 8"},
    ]
    settings = Settings(**SHORT.to_dict() | {"epochs": 1})
    found = train(rows, task(), base, out=tmp_path / "out", dev=dev, settings=settings)
    assert found.records == 8
    told = dict(found.skipped)
    assert told.keys() == {"empty", "blank", "odd", "dev", "d3"}
    assert "'joy' is unknown" in told["blank"] and "'anger'" in told["odd"]
    assert "validated on" in told["dev"] and "no labels" in told["d3"]
    lines = (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": name, "error": error} for name, error in found.skipped
    ]
    with pytest.raises(LabelMassError, match=r"no record is left to train on \('odd'"):
        train(rows[10:11], task(), base, out=tmp_path / "two", settings=settings)


def test_it_ends_when_validation_gets_no_better(base: str, tmp_path: Path) -> None:
    wrong = [{**row, "labels": ["joyful"]} for row in annotated(4)]
    right = [{**row, "id": f"x{i}", "text": f"{row['text']}0"} for i, row in enumerate(annotated())]
    settings = Settings(**LEARN.to_dict() | {"patience": 3, "tolerance": 0.001})
    found = train(right, task(), base, out=tmp_path / "out", dev=wrong, settings=settings)
    validations = [e.validation for e in found.epochs]
    assert found.best == int(np.argmin(validations)) == len(validations) - 1 - 3
    model = labelmass.load(str(tmp_path / "out"))
    p = labelmass.score(wrong, task(), model, tolerance=0.001).to_numpy()
    h = np.array([[0, 0, 1]] * 4)
    p = np.clip(p, 1e-8, 1 - 1e-8)
    nll = -(h * np.log(p) + (1 - h) * np.log(1 - p)).sum(axis=1).mean()
    assert nll == pytest.approx(validations[found.best], rel=0.05)


def test_rates_rise_and_fall() -> None:
    one = Settings(learning_rate=1.0, warm_up=0.1)
    rates = [one.learning_rate_at(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[10] == 1 and rates[55] == pytest.approx(0.5) and rates[-1] < 0.001
    assert rates[10:] == sorted(rates[10:], reverse=True)
    flat = Settings(learning_rate=1.0, warm_up=0.0, schedule="constant")
    assert {flat.learning_rate_at(step, 100) for step in range(100)} == {1.0}


def test_the_meanings_are_those_of_the_task() -> None:
    assert {label for labels in MEANT.values() for label in labels} == {*task().label_names}


def test_weights_of_half_the_size(base: str, tmp_path: Path) -> None:
    out = str(
        train(
            annotated(), task(), base, out=tmp_path / "out", settings=SHORT, dtype="bfloat16"
        ).folder
    )
    assert labelmass.load(out).dtype == "float32"  # as everything on a CPU, unless asked
    p, q = (
        labelmass.score(annotated(), task(), labelmass.load(out, dtype=dtype)).to_numpy()
        for dtype in ("float32", "bfloat16")
    )
    np.testing.assert_allclose(p, q, atol=0.05)
    weights = load_file(tmp_path / "out" / "adapter_model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    with pytest.raises(LabelMassError, match="float16 overflows"):
        train(annotated(), task(), base, out=tmp_path / "no", dtype="float16")
    half = labelmass.load(base, dtype="float16")
    half.network.save_pretrained(tmp_path / "half")
    half.tokenizer.save(tmp_path / "half")
    with pytest.raises(LabelMassError, match="half is in float16"):  # as its weights are
        train(annotated(), task(), str(tmp_path / "half"), out=tmp_path / "no", device="auto")
