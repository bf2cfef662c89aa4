"""The HTTP server of SGLang on a CPU, without the two packages that its text models only import.

There is no `sgl_kernel` for a CPU on the package index, and `torchvision` is for images. Stand-ins
give the names that SGLang imports from them, and raise an error where one is used.
"""

from __future__ import annotations

import enum
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

TRANSFORMS = "torchvision.transforms"
STAND_INS = ("sgl_kernel", "torchvision", "torchvision.io", TRANSFORMS, TRANSFORMS + ".functional")
"""Modules; of others in `sgl_kernel` SGLang sees that they are missing, and does without."""


class InterpolationMode(enum.Enum):
    """Names that SGLang's image processors mention when they are imported."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


class StandIn(ModuleType):
    """A module with every name in it, none of which can be used."""

    __version__ = "0.0"
    __path__: Sequence[str] = ()

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "InterpolationMode":
            return InterpolationMode

        def unusable(*_: object, **__: object) -> None:
            raise RuntimeError(f"{self.__name__}.{name} is a stand-in and does nothing")

        return unusable


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the stand-ins."""

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname in STAND_INS:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is to be done."""


# Where this module is imported, and not only run: SGLang's processes start with importing it.
# transformers first, which then knows that there is no torchvision.
from transformers import AutoModel, AutoProcessor, AutoTokenizer  # noqa: E402, F401

sys.meta_path.append(Finder())

if __name__ == "__main__":
    from sglang.launch_server import run_server
    from sglang.srt.server_args import prepare_server_args

    run_server(prepare_server_args(sys.argv[1:]))
