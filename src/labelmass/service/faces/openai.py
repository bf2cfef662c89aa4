"""OpenAI's face: moderations, decisions and models."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr
from starlette.responses import Response

from labelmass._text import find
from labelmass.decisions.decisions import LabelOutcome
from labelmass.errors import RecordError
from labelmass.service.core import Assessment, Service, unscored
from labelmass.service.names import Expression
from labelmass.service.problems import Kind, Problem
from labelmass.service.routing import Face, Json
from labelmass.task import Record

MAX_QUESTIONS = 400

TEXT_PARTS = ("text", "input_text", "output_text")
"""Parts of a message that are texts."""

TYPES = {
    Kind.KEY_MISSING: "authentication_error",
    Kind.KEY_WRONG: "authentication_error",
    Kind.RATE_LIMITED: "rate_limit_error",
    Kind.OVERLOADED: "rate_limit_error",
    Kind.FAILED: "server_error",
    Kind.MODEL_FAILED: "server_error",
    Kind.LATE: "server_error",
    Kind.DRAINING: "server_error",
}
"""`type` of an error; invalid_request_error for all others."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")

    model: str | None = None


class TextPart(BaseModel):
    """A text of a list of parts."""

    type: Literal["text"]
    text: str


class ImagePart(BaseModel):
    """An image, which no model here can read: it is refused, and never fetched."""

    type: Literal["image_url"]
    image_url: dict[str, Any]


class ModerationRequest(_Body):
    """A text, some texts, or the parts of one text."""

    input: (
        str
        | Annotated[list[str], Field(min_length=1)]
        | Annotated[
            list[Annotated[TextPart | ImagePart, Field(discriminator="type")]], Field(min_length=1)
        ]
    )


class Part(BaseModel):
    """A part of a message."""

    type: str
    text: str | None = None


class InputMessage(BaseModel):
    """A message of a conversation."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: str | Annotated[list[Part], Field(min_length=1)]


class Choice(BaseModel):
    """One of the answers to a question."""

    value: StrictStr | StrictBool
    description: str | None = None


class Level(BaseModel):
    """One of the levels of a score, lowest first."""

    label: str
    description: str | None = None


class Question(BaseModel):
    """What is asked of an input: `name` is the label whose probability is wanted."""

    type: Literal["predicate", "choice", "score"]
    name: str | None = None
    instructions: str | list[Part]
    choices: Annotated[list[Choice], Field(min_length=2, max_length=255)] | None = None
    levels: Annotated[list[Level], Field(min_length=2)] | None = None


class DecisionRequest(_Body):
    """Questions about one input."""

    input: str | Annotated[list[InputMessage], Field(min_length=1)]
    questions: Annotated[list[Question], Field(min_length=1, max_length=MAX_QUESTIONS)]


class OpenAIFace(Face):
    """`/v1/moderations`, `/v1/decisions` and `/v1/models`."""

    name: ClassVar[str] = "openai"
    prefixes: ClassVar[tuple[str, ...]] = ("/v1",)

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        route = self.router.add_api_route
        route("/v1/moderations", self.moderations, methods=["POST"])
        route("/v1/decisions", self.decisions, methods=["POST"])
        route("/v1/models", self.list_models, methods=["GET"])
        route("/v1/models/{name:path}", self.one_model, methods=["GET"])

    # -- moderations ----------------------------------------------------------------------------

    async def moderations(self, asked: ModerationRequest) -> Response:
        """Categories of some texts, flagged as the policy decides."""
        return self.answer(*await self.moderated(asked))

    async def moderated(
        self, asked: ModerationRequest, *, patient: bool = False
    ) -> tuple[dict[str, Any], list[Assessment]]:
        """The body of an answer, and what it rests on.

        patient: take whatever time it needs, see `Service.judge`.
        """
        names = self.names_of_categories()
        self.service.check_model(asked.model)
        assessed = await self.service.judge(_moderated(asked), self.name, patient=patient)
        for number, one in enumerate(assessed):
            if one.scores is None:
                pointer = f"/input/{number}" if isinstance(asked.input, list) else "/input"
                raise unscored(one, pointer, "unscorable_input")
        content = {
            "id": f"modr-{secrets.token_hex(16)}",
            "model": asked.model or self.service.models[0],
            "results": [self._moderation(one, names) for one in assessed],
        }
        return content, assessed

    def names_of_categories(self) -> Mapping[str, Expression | None]:
        """Expressions by category; Problem where moderations are not served."""
        names = self.service.names.openai
        if names is None:
            raise Problem(Kind.NOT_SERVED, "this service has no names of categories: see --names")
        self.service.require_policy()
        return names

    def _moderation(
        self, one: Assessment, names: Mapping[str, Expression | None]
    ) -> dict[str, Any]:
        assert one.scores is not None
        values = {
            name: None if expression is None else expression.value(one.scores, one.decided)
            for name, expression in names.items()
        }
        known = {name: value for name, value in values.items() if value is not None}
        return {
            "flagged": one.action != "allow",
            "categories": {
                name: value is not None and value.outcome != LabelOutcome.BELOW
                for name, value in values.items()
            },
            "category_scores": {n: 0.0 if v is None else v.p for n, v in values.items()},
            "category_applied_input_types": {
                name: [] if value is None else ["text"] for name, value in values.items()
            },
            "labelmass": {
                "action": one.action,
                "bounds": {name: [value.low, value.high] for name, value in known.items()},
                "review": [n for n, v in known.items() if v.outcome == LabelOutcome.REVIEW],
                "stopped": one.stopped,
            },
        }

    # -- decisions ------------------------------------------------------------------------------

    async def decisions(self, asked: DecisionRequest) -> Response:
        """A probability for each question that is about a label."""
        self.service.check_model(asked.model)
        record = _conversation(asked.input)
        (one,) = assessed = await self.judge([record])
        if one.scores is None or one.result is None:
            raise unscored(one, "/input", "unscorable_input")
        cost = one.result.cost
        usage = {
            "input_tokens": cost.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": cost.tree_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": cost.prompt_tokens + cost.tree_tokens,
        }
        answers = [self._answer_question(question, one) for question in asked.questions]
        model = asked.model or self.service.models[0]
        return self.answer({"model": model, "answers": answers, "usage": usage}, assessed)

    def _answer_question(self, question: Question, one: Assessment) -> dict[str, Any]:
        """P(label) for the label a predicate names; a refusal for what this task does not ask."""
        assert one.scores is not None
        labels = one.scores.labels
        label = None if question.name is None else find(question.name, labels)
        if question.type != "predicate" or label is None:
            return {"type": "refusal", "name": question.name}
        at = labels.index(label)
        low, high = float(one.scores.low[at]), float(one.scores.high[at])
        bounds = {"low": low, "high": high} if low == low and high == high else {}
        return {
            "type": "predicate",
            "name": question.name,
            "probability": float(one.scores.p[at]),
            **bounds,
        }

    # -- models ---------------------------------------------------------------------------------

    def list_models(self) -> Response:
        """The model, under each of its names."""
        return self.answer({"object": "list", "data": [*map(self._model, self.service.models)]})

    def one_model(self, name: str) -> Response:
        """One model by its name."""
        if name not in self.service.models:
            raise Problem(Kind.NOT_FOUND, "no such model", code="model_not_found")
        return self.answer(self._model(name))

    def _model(self, name: str) -> dict[str, Any]:
        created = int(self.service.started)
        return {"id": name, "object": "model", "created": created, "owned_by": "labelmass"}

    # -- errors ---------------------------------------------------------------------------------

    def error(self, problem: Problem) -> Response:
        kind = problem.kind
        error = {
            "message": problem.detail,
            "type": TYPES.get(kind, "invalid_request_error"),
            "param": problem.pointer.strip("/").replace("/", ".") or None,
            "code": problem.code or ("invalid_api_key" if kind is Kind.KEY_WRONG else None),
        }
        return Json({"error": error}, kind.status)


def _moderated(asked: ModerationRequest) -> list[Record]:
    """A record for each result that is to be given; Problem for what cannot be read."""
    if isinstance(asked.input, str):
        return [_record(asked.input, "/input")]
    texts: list[str] = []
    for number, part in enumerate(asked.input):
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, TextPart):
            texts.append(part.text)
        else:
            raise Problem(
                Kind.INVALID,
                "the model reads no images, and what it cannot read it does not pass",
                pointer=f"/input/{number}",
                code="unsupported_image",
            )
    if all(isinstance(part, str) for part in asked.input):
        return [_record(text, f"/input/{number}") for number, text in enumerate(texts)]
    return [_record("\n".join(texts), "/input")]


def _record(text: str, pointer: str) -> Record:
    try:
        return Record(pointer, text=text)
    except RecordError as error:
        raise Problem(Kind.INVALID, str(error), pointer=pointer) from None


def _conversation(given: str | list[InputMessage]) -> Record:
    """The record of an input; Problem for parts that are no texts."""
    if isinstance(given, str):
        return _record(given, "/input")
    messages: list[dict[str, str]] = []
    for number, message in enumerate(given):
        content = message.content
        if not isinstance(content, str):
            if any(part.text is None or part.type not in TEXT_PARTS for part in content):
                raise Problem(
                    Kind.INVALID,
                    "the model reads texts alone",
                    pointer=f"/input/{number}/content",
                    code="unsupported_content",
                )
            content = "\n".join(part.text or "" for part in content)
        messages.append({"role": message.role, "content": content})
    try:
        return Record.from_dict({"messages": messages}, "/input")
    except RecordError as error:
        raise Problem(Kind.INVALID, str(error), pointer="/input") from None
