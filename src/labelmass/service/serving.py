"""Serving a scorer: what can be imported without the extra."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from labelmass.errors import LabelMassError
from labelmass.scoring.scorer import Scorer
from labelmass.service.settings import ServiceSettings

if TYPE_CHECKING:
    from labelmass.service.running import Server


def make_server(
    scorer: Scorer, settings: ServiceSettings | None, policy: str | Path | None
) -> Server:
    """The server of a scorer; LabelMassError where the extra is missing."""
    check_extra()
    from labelmass.service.core import Service
    from labelmass.service.running import Server

    return Server(Service(scorer, settings, policy=policy))


def check_extra() -> None:
    """LabelMassError, naming the extra, where one of its packages is missing."""
    try:
        import_module("labelmass.service.running")
    except ImportError as error:
        raise LabelMassError(
            f"serving needs {error.name}: pip install 'labelmass[serve]'"
        ) from None


def serve(
    scorer: Scorer,
    settings: ServiceSettings | None = None,
    *,
    policy: str | Path | None = None,
) -> None:
    """Serve a scorer over HTTP until a signal ends it; requests under way are answered first.

    Example:
        policy = labelmass.Policy.load("policy.toml")
        scorer = labelmass.Scorer("emotions", policy=policy)
        labelmass.serve(scorer, labelmass.ServiceSettings(port=8080), policy="policy.toml")

    Args:
        scorer: What is asked of which model, and by which policy it is decided.
        settings: Address, keys, names and limits.
        policy: File of the scorer's policy, read anew when it changes; None for one that stays.

    Raises:
        LabelMassError: For keys or names that cannot be used, and without the extra `serve`.
    """
    make_server(scorer, settings, policy).run()
