"""The audit log: which decision was taken by which policy, without the texts."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from labelmass.errors import LabelMassError
from labelmass.task import Record

if TYPE_CHECKING:
    from labelmass.service.core import Assessment

VARIABLE = "LABELMASS_AUDIT_KEY"
"""Environment variable of the key of digests."""


class Audit:
    """An audit log, a JSON object a line; none without a path.

    A text is named by an HMAC-SHA256 of it: whoever holds the key and a text can find its
    decisions, and nobody else can find out the text.

    Raises:
        LabelMassError: If the file cannot be written.
    """

    def __init__(self, path: str | Path | None) -> None:
        self.kept = os.environ.get(VARIABLE, "") != ""
        self._key = os.environ[VARIABLE].encode() if self.kept else secrets.token_bytes(32)
        self._file: TextIO | None = None
        if path is not None:
            try:
                self._file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 (until `close`)
            except OSError as error:
                raise LabelMassError(f"cannot write the audit log {str(path)!r}: {error}") from None

    def digest(self, record: Record) -> str:
        """32 hexadecimal digits that stand for a record's texts."""
        texts = json.dumps(record.texts, sort_keys=True)
        return hmac.new(self._key, texts.encode(), hashlib.sha256).hexdigest()[:32]

    def write(self, face: str, record: Record, assessed: Assessment, signature: str) -> None:
        """A line for one record.

        Raises:
            OSError: If there is no room for it: what cannot be logged is not answered.
        """
        if self._file is None:
            return
        decided = assessed.decided
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "face": face,
            "record": self.digest(record),
            "action": assessed.action,
            "labels": {} if decided is None else decided["labels"],
            "review": [] if decided is None else decided["review"],
            "stopped": assessed.stopped,
            "failed": assessed.error != "",
            "policy": assessed.policy,
            "signature": signature,
        }
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
