"""Models in the Hugging Face hub cache of this machine."""

from __future__ import annotations

import os
from pathlib import Path

PREFIX = "models--"


def hub_cache_folder() -> Path:
    """$HF_HUB_CACHE, or `hub` in $HF_HOME or the user's cache, as the hub's own client has it."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("HF_HOME") or Path(caches) / "huggingface"
    return Path(home).expanduser() / "hub"


def cached_models() -> list[str]:
    """Hub ids of the models with a configuration in the cache, in alphabetical order."""
    folders = hub_cache_folder().glob(f"{PREFIX}*/snapshots/*/config.json")
    names = {folder.parents[2].name.removeprefix(PREFIX) for folder in folders}
    return sorted(name.replace("--", "/") for name in names)
