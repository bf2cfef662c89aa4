"""Virtual environments of model servers whose packages do not go with those of labelmass.

    .venv/bin/python tests/helpers/server_environments.py vllm

installs one, unless it is installed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

PACKAGES = Path(__file__).parent / "server_packages"


@dataclass(frozen=True, slots=True)
class ServerEnvironment:
    """A virtual environment with exactly the packages of one list.

    Attributes:
        name: Name of the list in `server_packages`.
        version: Version of the server, part of the folder's name.
        variable: Environment variable that names another folder.
        torch: Version of PyTorch, installed first and with its dependencies, so that the index in
            use decides on the build, "" for none; the rest is installed without dependencies.
    """

    name: str
    version: str
    variable: str
    torch: str = "2.13.0"

    @property
    def folder(self) -> Path:
        if named := os.environ.get(self.variable):
            return Path(named)
        return cache_folder() / f"{self.name}-{self.version}"

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        return PACKAGES / f"{self.name}.txt"

    def is_installed(self) -> bool:
        """If the folder holds what the list says; an interrupted installation does not count."""
        try:
            return self._note.read_text() == self._digest()
        except OSError:
            return False

    def install(self) -> None:
        """Install the packages, in place of those of an earlier list."""
        if self.is_installed():
            return
        self._check_folder()
        self._note.unlink(missing_ok=True)
        venv.create(self.folder, clear=True, with_pip=True, symlinks=True)
        if self.torch:
            self._pip("install", f"torch=={self.torch}")
        self._pip("install", "--no-deps", "-r", str(self.packages))
        self._note.write_text(self._digest())

    def _check_folder(self) -> None:
        """A folder that is no virtual environment is never emptied."""
        folder = self.folder
        if folder.exists() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").is_file():
            raise SystemExit(
                f"{folder} is no virtual environment; {self.variable} must name one, "
                "or a folder that is empty or does not exist"
            )

    @property
    def _note(self) -> Path:
        """Written last, with the digest of the list."""
        return self.folder / "installed"

    def _digest(self) -> str:
        return hashlib.sha256(self.torch.encode() + self.packages.read_bytes()).hexdigest()

    def _pip(self, *arguments: str) -> None:
        subprocess.run([self.python, "-m", "pip", "-q", *arguments], check=True)


ENVIRONMENTS = {
    one.name: one
    for one in (
        ServerEnvironment("vllm", "0.32.0", "LABELMASS_VLLM_VENV"),
        ServerEnvironment("sglang", "0.5.23", "LABELMASS_SGLANG_VENV"),
        ServerEnvironment("litellm", "1.110.2", "LABELMASS_LITELLM_VENV", torch=""),
        ServerEnvironment("clients", "1", "LABELMASS_CLIENTS_VENV", torch=""),
    )
}
"""By name."""


def cache_folder() -> Path:
    """Folder of what is made once for tests."""
    return user_cache_path("labelmass-tests", appauthor=False)


if __name__ == "__main__":
    chosen = ENVIRONMENTS[sys.argv[1]]
    chosen.install()
    print(f"{chosen.name} {chosen.version} is installed in {chosen.folder}")
