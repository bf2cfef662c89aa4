"""Clients in JavaScript, kept outside the project.

    .venv/bin/python tests/helpers/node_packages.py

gets them with npm, unless they are there.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from platformdirs import user_cache_path

PACKAGES = ("axios@0.18.1", "openai@7.59.0", "perspective-api-client@3.1.0")


def folder() -> Path:
    """The folder that holds them, named by their versions."""
    name = "-".join(package.replace("@", "-") for package in PACKAGES)
    return user_cache_path("labelmass-tests", appauthor=False) / name


def is_installed() -> bool:
    """If all are there; an interrupted installation does not count."""
    return (folder() / "installed").is_file()


def install() -> None:
    folder().mkdir(parents=True, exist_ok=True)
    (folder() / "package.json").write_text("{}")
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", *PACKAGES]
    subprocess.run(command, cwd=folder(), check=True, timeout=300)
    (folder() / "installed").touch()


if __name__ == "__main__":
    if not is_installed():
        install()
    print(f"{', '.join(PACKAGES)} are installed in {folder()}")
