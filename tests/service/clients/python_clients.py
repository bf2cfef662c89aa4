"""Clients in Python that have an environment of their own; prints what each makes of a service.

python python_clients.py URL RUDE KIND ALIAS
"""

import asyncio
import json
import sys
import urllib.request

from guardrails.checks.text.moderation import ModerationCfg, moderation
from label_studio_sdk.label_interface.objects import PredictionValue
from langchain_openai import OpenAIDecisions
from langchain_openai.decisions import Predicate
from openai import AsyncOpenAI

url, rude, kind, alias = sys.argv[1:]


def langchain() -> list[float]:
    decisions = OpenAIDecisions(model=alias, base_url=f"{url}/v1", api_key="any")
    questions = {"insult": Predicate(instructions="Is it an insult?")}
    answers = [decisions.invoke({"input": text, "questions": questions}) for text in (rude, kind)]
    return [answer.predicates["insult"].probability for answer in answers]


async def openai_guardrails() -> list[bool]:
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        context = type("Context", (), {"guardrail_llm": client})
        config = ModerationCfg(categories=["harassment", "violence"])
        results = [await moderation(context, text, config) for text in (rude, kind)]
    return [one.tripwire_triggered for one in results]


def label_studio() -> list[dict]:
    config = (
        '<View><Text name="t" value="$x"/><Choices name="c" toName="t">'
        '<Choice value="insult"/></Choices></View>'
    )
    tasks = [{"data": {"x": text}} for text in (rude, kind)]
    body = json.dumps({"tasks": tasks, "label_config": config}).encode()
    request = urllib.request.Request(f"{url}/predict", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as response:
        results = json.load(response)["results"]
    return [PredictionValue.model_validate(one).model_dump() for one in results]


found = {
    "langchain": langchain(),
    "guardrails": asyncio.run(openai_guardrails()),
    "label studio": label_studio(),
}
print(json.dumps(found))
