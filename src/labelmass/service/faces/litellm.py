"""The face of LiteLLM's generic guardrail."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from labelmass.errors import RecordError
from labelmass.service.core import Service
from labelmass.service.problems import Kind, Problem
from labelmass.service.routing import Face, Json
from labelmass.task import Record

BLOCKED, PASSED = "BLOCKED", "NONE"
"""The two actions; LiteLLM blocks on exactly this word, and passes on any other."""

REASON = "blocked by the content policy"
"""What the end user reads. It names no label: that would tell how to write around it."""

HELD = "held for review by the content policy"
IMAGE = "images cannot be judged here"
UNREADABLE = "this text cannot be judged"

PASSING = ("allow", "flag")
"""Actions of a policy that let a text pass; review holds it."""


class GuardrailRequest(BaseModel):
    """What LiteLLM sends; fields that are not read here are left alone."""

    model_config = ConfigDict(extra="ignore")

    input_type: Literal["request", "response"]
    texts: list[str] | None = None
    images: list[Any] | None = None


class LiteLLMFace(Face):
    """`POST /beta/litellm_basic_guardrail_api`."""

    name: ClassVar[str] = "litellm"
    prefixes: ClassVar[tuple[str, ...]] = ("/beta",)

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        path = "/beta/litellm_basic_guardrail_api"
        self.router.add_api_route(path, self.guard, methods=["POST"])

    async def guard(self, asked: GuardrailRequest) -> Response:
        """Whether some texts may pass."""
        self.service.require_policy()
        if asked.images:
            return self.answer({"action": BLOCKED, "blocked_reason": IMAGE})
        texts = [text for text in asked.texts or () if text.strip()]
        try:
            records = [Record(number, text=text) for number, text in enumerate(texts)]
        except RecordError:
            return self.answer({"action": BLOCKED, "blocked_reason": UNREADABLE})
        judged = await self.judge(records)
        for one in judged:
            if one.action not in PASSING:
                reason = UNREADABLE if one.error else HELD if one.action == "review" else REASON
                return self.answer({"action": BLOCKED, "blocked_reason": reason}, judged)
        return self.answer({"action": PASSED}, judged)

    def error(self, problem: Problem) -> Response:
        """503 where LiteLLM should fall back as it was told to, the problem's own status else."""
        busy = problem.kind in (Kind.OVERLOADED, Kind.RATE_LIMITED)
        return Json(
            {"error": problem.detail}, Kind.DRAINING.status if busy else problem.kind.status
        )
