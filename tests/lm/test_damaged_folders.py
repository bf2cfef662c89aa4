"""Folders of models and encoders with a damaged or unfinished file are refused in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelmass.errors import ModelError
from labelmass.lm.encoder import TextEncoder
from labelmass.lm.load import load
from lm.test_encoder import save_bert
from training.tiny_model import save_base

WHOLE = "model.safetensors"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {name: tmp_path_factory.mktemp("damaged") / name for name in ("model", "encoder")}
    save_base(made["model"])
    save_bert(made["encoder"])
    return made


def edit(file: str, change: Callable[[Any], Any]) -> Callable[[Path], object]:
    """Change the JSON in a file of a folder."""

    def apply(folder: Path) -> None:
        data = json.loads((folder / file).read_text())
        change(data)
        (folder / file).write_text(json.dumps(data))

    return apply


def cut(folder: Path) -> None:
    """A download that was stopped half-way."""
    content = (folder / WHOLE).read_bytes()
    (folder / WHOLE).write_bytes(content[: len(content) // 2])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "half the weights": cut,
    "no weights": lambda folder: (folder / WHOLE).write_bytes(b""),
    "no JSON": lambda folder: (folder / "config.json").write_text("{"),
    "no architecture": edit("config.json", lambda data: data.update(model_type=[])),
    "a size that is a text": edit("config.json", lambda data: data.update(hidden_size="x")),
    "a token that is a number": edit("tokenizer_config.json", lambda d: d.update(pad_token=7)),
    "no vocabulary": edit("tokenizer.json", lambda data: data.update(model=None)),
    "added tokens without ids": edit("tokenizer.json", lambda d: d["added_tokens"][0].pop("id")),
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("what", ["model", "encoder"])
def test_a_damaged_file_is_refused(
    how: str, what: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / what
    shutil.copytree(folders[what], folder)
    DAMAGE[how](folder)
    read = load if what == "model" else TextEncoder.load
    with pytest.raises(ModelError, match=f"cannot load .*{what}"):
        read(str(folder))


def test_the_whole_ones_are_taken(folders: dict[str, Path]) -> None:
    assert load(str(folders["model"]), device="cpu").name == "model"
    assert len(TextEncoder.load(str(folders["encoder"]))(["hello"])) == 1


@pytest.mark.parametrize("length", ["5", None, [5], -1e999])
def test_a_length_that_is_none_is_named(
    length: object, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(folders["encoder"], folder)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": length}))
    if length == "5":
        assert TextEncoder.load(str(folder)).length == 5
        return
    with pytest.raises(ModelError, match=r"sentence_bert_config\.json does not say how long"):
        TextEncoder.load(str(folder))


def test_a_text_that_an_encoder_fails_on(folders: dict[str, Path]) -> None:
    encoder = TextEncoder.load(str(folders["encoder"]))
    encoder.length = -1
    with pytest.raises(ModelError, match="the encoder cannot read the texts"):
        encoder(["hello"])
