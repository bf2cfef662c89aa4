"""A quantised GGUF file rewritten in float32, for engines that compute with what is stored."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import gguf
import numpy as np

from helpers.server_environments import cache_folder


def float32_gguf(source: Path) -> Path:
    """The same model in float32, written once into the cache of the tests.

    The weights are those that transformers reads from the file: exactly what it stands for.
    """
    with source.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
    target = cache_folder() / f"{source.stem}-{digest[:16]}-float32.gguf"
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=target.parent, prefix=".partial-")
    os.close(handle)
    try:
        rewrite(source, Path(partial))
        os.replace(partial, target)
    finally:
        Path(partial).unlink(missing_ok=True)
    return target


def rewrite(source: Path, target: Path) -> None:
    """Copy all keys of a GGUF file, and its tensors as float32."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue  # the writer writes them itself
        kind, value = field.types[0], field.contents()
        if key == "general.file_type":
            value = int(gguf.LlamaFileType.ALL_F32)
        elements = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, value, kind, sub_type=elements)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        shape = tuple(int(size) for size in reversed(tensor.shape))
        writer.add_tensor(tensor.name, np.ascontiguousarray(values, np.float32).reshape(shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
