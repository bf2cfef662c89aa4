"""The face of LiteLLM's generic guardrail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import orjson
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
NO_TEXT = "only texts can be judged here"
UNREADABLE = "this text cannot be judged"

TEXT_PARTS = ("text", "input_text", "output_text", "refusal", "thinking", "tool_use", "tool_result")
"""Parts of messages that hold texts; images, files and sounds are none."""

PASSING = ("allow", "flag")
"""Actions of a policy that let a text pass; review holds it."""


class GuardrailRequest(BaseModel):
    """What LiteLLM sends; fields that are not read here are left alone."""

    model_config = ConfigDict(extra="ignore")

    input_type: Literal["request", "response"]
    texts: list[str] | None = None
    images: list[Any] | None = None
    tool_calls: list[Any] | None = None
    structured_messages: list[Any] | None = None


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
        if asked.images or any(_type(part) not in TEXT_PARTS for part in _parts(asked)):
            return self.answer({"action": BLOCKED, "blocked_reason": NO_TEXT})
        try:
            texts = [*(asked.texts or ()), *map(_arguments, asked.tool_calls or ())]
            texts = [text for text in texts if text.strip()]
            records = [Record(number, text=text) for number, text in enumerate(texts)]
        except RecordError:
            return self.answer({"action": BLOCKED, "blocked_reason": UNREADABLE})
        assessed = await self.judge(records)
        for one in assessed:
            if one.action not in PASSING:
                reason = UNREADABLE if one.error else HELD if one.action == "review" else REASON
                return self.answer({"action": BLOCKED, "blocked_reason": reason}, assessed)
        return self.answer({"action": PASSED}, assessed)

    def error(self, problem: Problem) -> Response:
        """503 where LiteLLM should fall back as it was told to, the problem's own status else."""
        busy = problem.kind in (Kind.OVERLOADED, Kind.RATE_LIMITED)
        return Json(
            {"error": problem.detail}, Kind.DRAINING.status if busy else problem.kind.status
        )


def _parts(asked: GuardrailRequest) -> Iterator[Any]:
    """The parts of those messages that are written as parts."""
    for message in asked.structured_messages or ():
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            yield from content


def _type(part: Any) -> Any:
    return part.get("type") if isinstance(part, dict) else None


def _arguments(call: Any) -> str:
    """The text that a tool is called with, without the escapes of JSON.

    Raises:
        RecordError: If there is none.
    """
    try:
        given = call["custom"]["input"] if "custom" in call else call["function"]["arguments"]
    except (KeyError, TypeError):
        raise RecordError("a tool call without arguments") from None
    try:
        return orjson.dumps(orjson.loads(given)).decode() if given else ""
    except (orjson.JSONDecodeError, TypeError):
        return str(given)
