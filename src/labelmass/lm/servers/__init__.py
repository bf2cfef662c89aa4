"""Models behind a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelmass.lm.servers.model import ServerModel

__all__ = ["ServerModel"]


def __getattr__(name: str) -> Any:
    """`ServerModel`, which needs packages of its own."""
    if name == "ServerModel":
        from labelmass.lm.servers.model import ServerModel

        return ServerModel
    raise AttributeError(name)
