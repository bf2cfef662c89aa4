"""Settings of the service."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import ClassVar

from labelmass._ranges import COUNT, POSITIVE, Range
from labelmass._settings import check_settings, setting
from labelmass.errors import LabelMassError

PORT = Range(0, 65535, whole=True)


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """Where the service listens, who may ask, and how much of it.

    Raises:
        LabelMassError: Naming the setting and what it may be; for an address that others can reach,
            without keys.
    """

    section: ClassVar[str] = "Service"

    host: str = setting(
        "127.0.0.1", "Address to listen on; one that others can reach needs --keys."
    )
    port: int = setting(8000, "Port to listen on; 0 for any that is free.", within=PORT)
    keys: str | None = setting(
        None, "API keys that are accepted, see `labelmass new key`. Default: none is asked for.",
        path="file",
    )  # fmt: skip
    names: str | None = setting(
        None,
        "Names of OpenAI's categories and Perspective's attributes, each an expression over the "
        "labels; turns these faces on.",
        path="file",
    )
    aliases: tuple[str, ...] = setting(
        (),
        "Further name of the model in requests; may be repeated. Any other is refused.",
        "--alias",
        metavar="NAME",
    )
    deadline: float = setting(
        10.0,
        "Seconds for a request; after that it is answered with what is known, and what is open "
        "goes to review.",
        within=POSITIVE,
        metavar="SECONDS",
    )
    max_waiting: int = setting(
        512, "Largest number of texts waiting or under way; more are refused.", within=COUNT
    )
    max_body: int = setting(
        1 << 20, "Largest request, in bytes, unpacked.", within=COUNT, metavar="BYTES"
    )
    max_texts: int = setting(128, "Largest number of texts in a request.", within=COUNT)
    state: str | None = setting(
        None,
        "Folder for files and batches on OpenAI's face. Default: none are kept.",
        path="new folder",
    )
    audit: str | None = setting(
        None,
        "Log of decisions, .jsonl, without texts; digests are keyed by LABELMASS_AUDIT_KEY.",
        path="new file",
    )
    feedback: str | None = setting(
        None,
        "File of labels that clients suggest on Perspective's face, .jsonl, texts and all. "
        "Default: the suggestion is refused.",
        path="new file",
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.keys is None and not is_loopback(self.host):
            raise LabelMassError(
                f"{self.host} can be reached by others, and no keys are asked for: give --keys "
                "FILE, which `labelmass new key` makes, or listen on 127.0.0.1"
            )


def is_loopback(host: str) -> bool:
    """True for an address of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
