"""The face of Label Studio's machine-learning backends."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from labelmass._text import find
from labelmass.errors import RecordError
from labelmass.service.core import Assessment, Service
from labelmass.service.problems import Kind, Problem
from labelmass.service.routing import Face, Json
from labelmass.task import Record


class PredictRequest(BaseModel):
    """Tasks of a project, and its labelling interface."""

    model_config = ConfigDict(extra="ignore")

    tasks: Annotated[list[dict[str, Any]], Field(min_length=1)]
    label_config: str


class LabelStudioFace(Face):
    """`/predict`, `/setup` and `/health`; a key comes as the password of basic authentication."""

    name: ClassVar[str] = "label-studio"
    prefixes: ClassVar[tuple[str, ...]] = ("/predict", "/setup", "/health")

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        route = self.router.add_api_route
        route("/predict", self.predict, methods=["POST"])
        route("/setup", self.setup, methods=["POST"])
        route("/health", self.health, methods=["GET"])

    async def predict(self, asked: PredictRequest) -> Response:
        """A prediction for each task, empty for one that cannot be scored."""
        choices = read_choices(asked.label_config)
        known = self.service.task.label_names
        choices.names = {label: name for name in choices.values if (label := find(name, known))}
        if not choices.names:
            raise Problem(
                Kind.INVALID,
                f"no choice of the project is one of the labels {', '.join(known)}",
                pointer="/label_config",
            )
        records = [_record(task, choices.field) for task in asked.tasks]
        assessed = iter(await self.judge([one for one in records if one is not None]))
        results = [
            self._empty() if record is None else self._prediction(next(assessed), choices)
            for record in records
        ]
        return self.answer({"results": results})

    def _empty(self) -> dict[str, Any]:
        return {"model_version": self.service.signature, "score": 0.0, "result": []}

    def _prediction(self, one: Assessment, choices: _Choices) -> dict[str, Any]:
        if one.scores is None:
            return self._empty()
        p = {label: float(one.scores[label].p or 0.0) for label in choices.names}
        if one.decided is None:
            given = [label for label in choices.names if p[label] >= 0.5]
        else:
            given = [label for label in choices.names if label in one.decided["given"]]
        if not given:
            return self._empty()
        score = min(p[label] for label in given)
        region = {
            "from_name": choices.name,
            "to_name": choices.to_name,
            "type": "choices",
            "value": {"choices": [choices.names[label] for label in given]},
            "score": score,
        }
        return {"model_version": self.service.signature, "score": score, "result": [region]}

    def setup(self) -> Response:
        """The version of what predicts."""
        return self.answer({"model_version": self.service.signature})

    async def health(self) -> Response:
        """Whether it is ready."""
        if await self.service.health():
            raise Problem(Kind.DRAINING, "not ready")
        return self.answer({"status": "UP", "model_class": "labelmass"})

    def error(self, problem: Problem) -> Response:
        return Json({"detail": problem.detail}, problem.kind.status)


class _Choices:
    """The choices of a labelling interface."""

    def __init__(self, name: str, to_name: str, values: list[str], field: str) -> None:
        self.name, self.to_name, self.values, self.field = name, to_name, values, field
        self.names: dict[str, str] = {}
        """By label, its name there."""


def read_choices(config: str) -> _Choices:
    """The first choices of a labelling interface that are about a text.

    Raises:
        Problem: If there are none, or it is no XML, or XML that declares entities.
    """
    if "<!" in config.replace("<!--", ""):
        raise Problem(Kind.INVALID, "declarations are not read", pointer="/label_config")
    try:
        root = ElementTree.fromstring(config)
    except ElementTree.ParseError:
        raise Problem(Kind.INVALID, "no valid XML", pointer="/label_config") from None
    fields = {one.get("name"): one.get("value", "") for one in root.iter("Text")}
    for tag in root.iter("Choices"):
        name, to_name = tag.get("name"), tag.get("toName")
        value = fields.get(to_name, "")
        if name and to_name and value.startswith("$"):
            values = [one.get("value", "") for one in tag.iter("Choice")]
            return _Choices(name, to_name, values, value[1:])
    raise Problem(
        Kind.INVALID, "there are no Choices about a Text with a $field", pointer="/label_config"
    )


def _record(task: dict[str, Any], field: str) -> Record | None:
    """The record of a task; None for one without such a text."""
    data = task.get("data")
    text = data.get(field) if isinstance(data, dict) else None
    try:
        return Record("task", text=text) if isinstance(text, str) else None
    except RecordError:
        return None
