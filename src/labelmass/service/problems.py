"""What keeps a request from an answer, in words that every face puts into its own error body."""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """Kinds of problems: an HTTP status, and a title that does not change."""

    INVALID = 400, "Invalid request"
    UNKNOWN_MODEL = 400, "Unknown model"
    NOT_SERVED = 400, "Not served here"  # on 404 openai-guardrails sends the text to OpenAI
    KEY_MISSING = 401, "No API key"
    KEY_WRONG = 401, "Wrong API key"
    NOT_FOUND = 404, "Not found"
    NOT_ALLOWED = 405, "Method not allowed"
    TIMED_OUT = 408, "The request took too long"
    TOO_LARGE = 413, "Request too large"
    MEDIA_TYPE = 415, "Unsupported media type"
    RATE_LIMITED = 429, "Rate limit reached"
    OVERLOADED = 429, "Too many requests are waiting"
    FAILED = 500, "Internal error"
    MODEL_FAILED = 500, "The model failed"
    LATE = 503, "There was no time to read it"
    DRAINING = 503, "The service is stopping"

    @property
    def status(self) -> int:
        return self.value[0]

    @property
    def title(self) -> str:
        return self.value[1]


class Problem(Exception):
    """A request that is not answered.

    Args:
        kind: Kind of problem.
        detail: A sentence for whoever made the request. It holds nothing of a text that is to be
            assessed, and no key.
        pointer: JSON pointer to the part of the body that is wrong, "" for all of it.
        code: A word of the face, where it has one for this problem.
        retry_after: Seconds after which it may be tried again.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str = "",
        *,
        pointer: str = "",
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail or kind.title)
        self.kind, self.detail, self.pointer = kind, detail or kind.title, pointer
        self.code, self.retry_after = code, retry_after
