"""Perspective's face: a probability for each attribute that the file of names maps to labels."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from labelmass.errors import RecordError
from labelmass.service.core import Service, unscored
from labelmass.service.faces.perspective_discovery import discovery
from labelmass.service.names import PerspectiveNames
from labelmass.service.problems import Kind, Problem
from labelmass.service.routing import Face, Json
from labelmass.task import Record

MAX_BYTES = 20_480
"""Largest comment, in bytes of UTF-8."""

STATUSES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
ERROR = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
INFO = "type.googleapis.com/google.rpc.ErrorInfo"


class Comment(BaseModel):
    """A comment; its text is missing rather than empty in some clients."""

    text: str = ""
    type: Literal["PLAIN_TEXT", "TEXT_TYPE_UNSPECIFIED", "HTML"] = "PLAIN_TEXT"


class AttributeParameters(BaseModel):
    """How one attribute is wanted."""

    scoreType: str = "PROBABILITY"
    scoreThreshold: float | None = None


class _Request(BaseModel):
    model_config = ConfigDict(extra="ignore")

    comment: Comment = Comment()
    languages: list[str] = []
    clientToken: str | None = None
    doNotStore: bool = False


class AnalyzeRequest(_Request):
    """A comment and the attributes that are wanted."""

    requestedAttributes: dict[str, AttributeParameters] = {}
    spanAnnotations: bool = False
    dropUnsupportedAttributes: bool = False


class SuggestRequest(_Request):
    """A comment and what its attributes should be."""

    attributeScores: dict[str, dict[str, Any]] = {}
    communityId: str | None = None


class PerspectiveFace(Face):
    """`comments:analyze`, `comments:suggestscore`, and the discovery document."""

    name: ClassVar[str] = "perspective"
    prefixes: ClassVar[tuple[str, ...]] = ("/v1alpha1", "/$discovery")
    key_in_query: ClassVar[bool] = True

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        route = self.router.add_api_route
        route("/v1alpha1/comments:analyze", self.analyze, methods=["POST"])
        route("/v1alpha1/comments:suggestscore", self.suggest, methods=["POST"])
        route("/$discovery/rest", self.discover, methods=["GET"])
        route("/discovery/v1/apis/commentanalyzer/v1alpha1/rest", self.discover, methods=["GET"])

    async def analyze(self, asked: AnalyzeRequest) -> Response:
        """Probabilities of the attributes that are wanted."""
        names = self._names()
        languages = self._languages(asked, names)
        expressions = {
            given: names.attributes[bare(given)] for given in self._wanted(asked, names, languages)
        }
        text = asked.comment.text
        (one,) = assessed = await self.judge([_record(text)])
        if one.scores is None:
            raise unscored(one, "", "INVALID_REQUEST")
        scores: dict[str, Any] = {}
        for given, expression in expressions.items():
            value, wanted = expression.value(one.scores, one.decided), asked.requestedAttributes
            least = wanted[given].scoreThreshold
            if least is not None and value.p < least:
                continue
            score = {"value": value.p, "type": "PROBABILITY"}
            scores[given] = {
                "summaryScore": score,
                "labelmass": {"low": value.low, "high": value.high, "stopped": one.stopped},
            }
            if asked.spanAnnotations:
                end = len(text.encode("utf-16-le")) // 2
                scores[given]["spanScores"] = [{"begin": 0, "end": end, "score": score}]
        body: dict[str, Any] = {"languages": languages}
        if scores:
            body = {"attributeScores": scores, **body}
        if asked.clientToken is not None:
            body["clientToken"] = asked.clientToken
        return self.answer(body, assessed)

    def suggest(self, asked: SuggestRequest) -> Response:
        """Keep what a client thinks the attributes should be, if a file for it is named."""
        path = self.service.settings.feedback
        if path is None:
            raise _refused("This service keeps no suggested scores: see --feedback.")
        if asked.doNotStore:
            raise _refused("A suggestion with doNotStore cannot be kept.")
        _record(asked.comment.text)
        names = self._names()
        for given in asked.attributeScores:
            if bare(given) not in names.attributes:
                raise _refused(f"Unknown requested attribute: {given}")
        line = {"text": asked.comment.text, "suggested": asked.attributeScores}
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        body: dict[str, Any] = {"requestedLanguages": asked.languages, "detectedLanguages": []}
        if asked.clientToken is not None:
            body["clientToken"] = asked.clientToken
        return self.answer(body)

    def discover(self, request: Request) -> Response:
        """The discovery document, by which Google's client finds the methods."""
        return Json(discovery(str(request.base_url)))

    # -- what is asked --------------------------------------------------------------------------

    def _names(self) -> PerspectiveNames:
        names = self.service.names.perspective
        if names is None:
            raise Problem(Kind.NOT_FOUND, "This service has no names of attributes: see --names.")
        return names

    def _languages(self, asked: AnalyzeRequest, names: PerspectiveNames) -> list[str]:
        """The languages of a comment; none is detected here."""
        if not asked.comment.text.strip():
            raise Problem(Kind.INVALID, "Comment must be non-empty.", code="COMMENT_EMPTY")
        if len(asked.comment.text.encode("utf-8", "replace")) > MAX_BYTES:
            raise Problem(Kind.INVALID, "Comment text too long.", code="COMMENT_TOO_LONG")
        if asked.comment.type == "HTML":
            raise _refused("Comment type HTML is not supported: send PLAIN_TEXT.")
        if not asked.requestedAttributes:
            raise Problem(
                Kind.INVALID, "Missing requested_attributes", code="NO_REQUESTED_ATTRIBUTES"
            )
        if asked.languages or not names.languages:
            return asked.languages
        if names.default_language is None:
            raise Problem(
                Kind.INVALID, "Unable to detect language", code="LANGUAGE_DETECTION_FAILED"
            )
        return [names.default_language]

    def _wanted(
        self, asked: AnalyzeRequest, names: PerspectiveNames, languages: list[str]
    ) -> list[str]:
        """The attributes to give, as they were written; Problem for one that cannot be given."""
        odd = [one for one in languages if names.languages and one not in names.languages]
        results: list[str] = []
        for given, parameters in asked.requestedAttributes.items():
            if parameters.scoreType not in ("PROBABILITY", "SCORE_TYPE_UNSPECIFIED"):
                raise _refused(f"Score type {parameters.scoreType} is not supported.")
            known = bare(given) in names.attributes
            if known and not odd:
                results.append(given)
            elif asked.dropUnsupportedAttributes:
                continue
            elif not known:
                raise _refused(f"Unknown requested attribute: {given}")
            else:
                raise Problem(
                    Kind.INVALID,
                    f"Attribute {given} does not support request languages: {', '.join(odd)}",
                    code="LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
                    pointer=given,
                )
        return results

    # -- errors ---------------------------------------------------------------------------------

    def error(self, problem: Problem) -> Response:
        kind, message = problem.kind, problem.detail
        status = kind.status
        details: list[dict[str, Any]] = []
        if kind in (Kind.KEY_MISSING, Kind.KEY_WRONG):
            status, message = 400, "API key not valid. Please pass a valid API key."
            details = [{"@type": INFO, "reason": "API_KEY_INVALID", "domain": "googleapis.com"}]
        elif status == 429:
            reason = "RATE_LIMIT_EXCEEDED"
            details = [{"@type": INFO, "reason": reason, "domain": "googleapis.com"}]
        elif status == 400:
            details = [{"@type": ERROR, "errorType": problem.code or "INVALID_REQUEST"}]
            if problem.code == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE":
                details[0]["languageNotSupportedByAttributeError"] = {
                    "attribute": problem.pointer,
                    "detectedLanguages": [],
                }
        error = {"code": status, "message": message, "status": STATUSES.get(status, "UNKNOWN")}
        return Json({"error": error | ({"details": details} if details else {})}, status)


def bare(attribute: str) -> str:
    """An attribute's name without the version that may stand behind it."""
    return attribute.partition("@")[0]


def _refused(message: str) -> Problem:
    return Problem(Kind.INVALID, message, code="INVALID_REQUEST")


def _record(text: str) -> Record:
    try:
        return Record("comment", text=text)
    except RecordError as error:
        raise _refused(str(error)) from None
