"""TOML files that come with labelmass, by name: the folder is the registry."""

from __future__ import annotations

from functools import cached_property
from importlib import resources

from labelmass.files import parse_toml


class ShippedFiles:
    """The TOML files of a folder of this package, each with a name and a description.

    Args:
        folder: Name of the folder.
    """

    def __init__(self, folder: str) -> None:
        self._folder = resources.files("labelmass.task") / folder

    @cached_property
    def descriptions(self) -> dict[str, str]:
        """What each file says of itself, by name, in order."""
        files = (file.name for file in self._folder.iterdir() if file.name.endswith(".toml"))
        names = sorted(name.removesuffix(".toml") for name in files)
        return {name: parse_toml(self.read(name))["description"] for name in names}

    def read(self, name: str) -> str:
        """The text of a file."""
        return (self._folder / f"{name}.toml").read_text(encoding="utf-8")
