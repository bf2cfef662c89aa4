"""API keys: who may ask, and how much. The file holds digests, never a key."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from labelmass.errors import LabelMassError
from labelmass.files import read_toml, shaped
from labelmass.files.toml import dumps
from labelmass.files.writing import write_text
from labelmass.service.problems import Kind, Problem

PREFIX = "lm-"
"""Begins every key that is made here, so that a leaked one can be found."""


@dataclass(frozen=True, slots=True)
class Key:
    """One caller's key.

    Attributes:
        name: Name of the caller, which audit logs show.
        sha256: SHA-256 of the key, hexadecimal.
        requests_per_minute: None for any number.
        requests_at_once: None for any number.
    """

    name: str
    sha256: str
    requests_per_minute: int | None = None
    requests_at_once: int | None = None


@dataclass(slots=True)
class _Use:
    """What one caller has used: its requests under way, and those it may begin now."""

    under_way: int = 0
    tokens: float | None = None
    at: float = 0.0


ANYONE = Key("anyone", "")
"""The caller where no keys are asked for."""


@dataclass(slots=True)
class Keys:
    """The keys that are accepted; with none, everyone is `ANYONE`."""

    keys: tuple[Key, ...] = ()
    _uses: dict[str, _Use] = field(default_factory=dict[str, _Use], repr=False)

    def caller(self, given: str | None) -> Key:
        """Whose key this is. Every key is compared in full, so that time tells nothing.

        Raises:
            Problem: Without a key, or with a wrong one.
        """
        if not self.keys:
            return ANYONE
        if not given:
            raise Problem(Kind.KEY_MISSING, "give an API key")
        digest = sha256(given.encode("utf-8", "surrogatepass")).hexdigest()
        found: Key | None = None
        for key in self.keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        if found is None:
            raise Problem(Kind.KEY_WRONG, "this API key is not accepted")
        return found

    @contextmanager
    def use(self, key: Key) -> Generator[None]:
        """One request of a caller.

        Raises:
            Problem: If it makes too many.
        """
        use = self._uses.setdefault(key.name, _Use())
        if key.requests_at_once is not None and use.under_way >= key.requests_at_once:
            raise Problem(
                Kind.RATE_LIMITED,
                f"this key may have {key.requests_at_once} requests under way at once",
                retry_after=1,
            )
        if key.requests_per_minute is not None:
            self._spend(use, key.requests_per_minute)
        use.under_way += 1
        try:
            yield
        finally:
            use.under_way -= 1

    def replaced_by(self, other: Keys) -> Keys:
        """Other keys, with what callers of the same name have used."""
        return Keys(other.keys, self._uses)

    @staticmethod
    def _spend(use: _Use, per_minute: int) -> None:
        now = time.monotonic()
        had = per_minute if use.tokens is None else use.tokens
        tokens = min(per_minute, had + (now - use.at) * per_minute / 60)
        use.tokens, use.at = tokens, now
        if tokens < 1:
            raise Problem(
                Kind.RATE_LIMITED,
                f"this key may make {per_minute} requests a minute",
                retry_after=min((1 - tokens) * 60 / per_minute, 60),
            )
        use.tokens = tokens - 1

    @classmethod
    def load(cls, path: str | Path) -> Keys:
        """The keys in a TOML file.

        Raises:
            LabelMassError: For a file without keys, and naming the key that is wrong.
        """
        try:
            stored = shaped(_Stored, read_toml(path))
        except LabelMassError as error:
            raise LabelMassError(f"cannot read the keys in {str(path)!r}: {error}") from None
        if not stored.keys:
            raise LabelMassError(
                f"{path}: no keys; `labelmass new key NAME --keys {path}` makes one"
            )
        keys = tuple(_key(name, entry, path) for name, entry in stored.keys.items())
        if len({key.sha256 for key in keys}) < len(keys):
            raise LabelMassError(f"{path}: two callers have the same key")
        return cls(keys)


@dataclass(frozen=True, slots=True)
class _Stored:
    keys: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Entry:
    sha256: str
    requests_per_minute: int | None = None
    requests_at_once: int | None = None


def _key(name: str, entry: Mapping[str, Any], path: str | Path) -> Key:
    try:
        found = shaped(_Entry, entry)
        if unknown := sorted(set(entry) - set(_Entry.__slots__)):
            raise LabelMassError(f"{unknown[0]!r} is no field of a key")
        if len(found.sha256) != 64 or set(found.sha256) - set("0123456789abcdef"):
            raise LabelMassError("sha256 is not 64 hexadecimal digits: keep no key itself here")
        for limit in ("requests_per_minute", "requests_at_once"):
            value = getattr(found, limit)
            if value is not None and value < 1:
                raise LabelMassError(f"{limit} is {value}: a whole number from 1")
    except LabelMassError as error:
        raise LabelMassError(f"{path}: key {name!r}: {error}") from None
    return Key(name, found.sha256, found.requests_per_minute, found.requests_at_once)


def make_key(name: str, path: str | Path) -> str:
    """A new key; its digest is added to the file, which need not be there yet.

    Raises:
        LabelMassError: If the file has a key of this name, or is no file of keys.
    """
    file = Path(path)
    stored: dict[str, Any] = dict(read_toml(file)) if file.exists() else {}
    if stored:
        Keys.load(file)
    keys = dict(stored.get("keys", {}))
    if name in keys:
        raise LabelMassError(
            f"{path} has a key called {name!r}: take another name, or take the old one out first"
        )
    key = PREFIX + secrets.token_urlsafe(32)
    keys[name] = {"sha256": sha256(key.encode()).hexdigest()}
    write_text(file, dumps(stored | {"keys": keys}))
    return key
