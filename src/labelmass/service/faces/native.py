"""Our own face: a probability with bounds for every label, what is decided, and why."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from labelmass.errors import RecordError
from labelmass.service.core import Assessment, Service
from labelmass.service.problems import Kind, Problem
from labelmass.service.routing import Face
from labelmass.task import Record


class LabelsRequest(BaseModel):
    """Texts to label, or records: each a text, messages, or a prompt and its response."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    texts: Annotated[list[str], Field(min_length=1)] | None = None
    records: Annotated[list[dict[str, Any]], Field(min_length=1)] | None = None


class NativeFace(Face):
    """`POST /v1/labels`, with errors of RFC 9457."""

    name: ClassVar[str] = "labels"
    prefixes: ClassVar[tuple[str, ...]] = ("/v1/labels",)

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self.router.add_api_route("/v1/labels", self.labels, methods=["POST"])

    async def labels(self, asked: LabelsRequest) -> Response:
        """Labels of some texts."""
        self.service.check_model(asked.model)
        assessed = await self.judge(_records(asked))
        scorer = self.service.scorer
        return self.answer(
            {
                "model": scorer.model.name,
                "policy": self.service.policy,
                "signature": scorer.signature.to_dict(),
                "results": [self._result(one) for one in assessed],
            },
            assessed,
        )

    def _result(self, one: Assessment) -> dict[str, Any]:
        if one.result is None or one.scores is None:
            return {"error": one.error, "action": one.action, "stopped": one.stopped}
        whole, step = one.result.to_dict(), self.service.scorer.plan.decision
        shown: dict[str, Any] = {"labels": one.scores.to_dict()}
        for key in ("empty", "sets", "values", "given_risk", "verdict", "off_format", "unexplored"):
            if whole.get(key) is not None:
                shown[key] = whole[key]
        shown["action"] = one.action
        if one.decided is not None and step is not None:
            rules, listed = step.policy.rules, (*one.decided["given"], *one.decided["review"])
            shown["decisions"] = one.decided
            shown["why"] = {label: f"{rules[label].when}. {rules[label].why}" for label in listed}
        shown["stopped"] = one.stopped or whole.get("stopped")
        shown["warnings"] = list(one.result.warnings)
        return shown | {"cost": whole["cost"]}

    def error(self, problem: Problem) -> Response:
        kind = problem.kind
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": kind.title,
            "status": kind.status,
            "detail": problem.detail,
        }
        if problem.pointer or kind is Kind.INVALID:
            body["errors"] = [{"pointer": f"#{problem.pointer}", "detail": problem.detail}]
        return Response(orjson.dumps(body), kind.status, media_type="application/problem+json")


def _records(asked: LabelsRequest) -> list[Record]:
    """The records of a request; Problem for one that is none."""
    if (asked.texts is None) == (asked.records is None):
        raise Problem(Kind.INVALID, "give texts or records, and not both")
    key = "texts" if asked.records is None else "records"
    rows = asked.records or [{"text": text} for text in asked.texts or ()]
    results: list[Record] = []
    for number, row in enumerate(rows):
        try:
            record = Record.from_dict(row, number)
        except RecordError as error:
            raise Problem(Kind.INVALID, str(error), pointer=f"/{key}/{number}") from None
        results.append(record)
    return results
