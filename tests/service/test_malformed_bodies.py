"""Bodies that are wrong somewhere: an answer or the face's own error, and never a crash."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.property_tests import property_test
from helpers.service import PATHS, RUDE, Running, running

QUESTION = {"type": "predicate", "name": "insult", "instructions": "?"}
WHOLE: dict[str, list[Any]] = {
    **{path: [body] for path, body in PATHS.items()},
    "/v1alpha1/comments:suggestscore": [
        {"comment": {"text": RUDE}, "attributeScores": {"INSULT": {"summaryScore": {"value": 1}}}}
    ],
    "/setup": [{"project": "1.17"}],
}
WHOLE["/v1/labels"] += [
    {"records": [{"id": 1, "messages": [{"role": "user", "content": RUDE}]}]},
    {"records": [{"prompt": "hi", "response": RUDE}], "model": "manners-1b"},
]
WHOLE["/v1/moderations"] += [
    {"input": [RUDE, "x"]},
    {"input": [{"type": "text", "text": RUDE}, {"type": "image_url", "image_url": {"url": "x"}}]},
]
WHOLE["/v1/decisions"] += [
    {
        "input": [{"role": "user", "content": [{"type": "input_text", "text": RUDE}]}],
        "questions": [
            {"type": "choice", "instructions": "?", "choices": [{"value": "a"}, {"value": True}]},
            {"type": "score", "instructions": [], "levels": [{"label": "a"}, {"label": "b"}]},
        ],
    }
]
WHOLE["/v1alpha1/comments:analyze"] += [
    {
        "comment": {"text": RUDE, "type": "PLAIN_TEXT"},
        "requestedAttributes": {"TOXICITY@1": {"scoreType": "PROBABILITY", "scoreThreshold": 0.5}},
        "languages": ["en"],
        "clientToken": "t",
        "spanAnnotations": True,
        "dropUnsupportedAttributes": True,
        "doNotStore": True,
        "context": {"entries": [{"text": "x"}]},
    }
]
WHOLE["/beta/litellm_basic_guardrail_api"] += [
    {
        "input_type": "response",
        "texts": [RUDE],
        "images": [],
        "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
        "structured_messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
    }
]
"""Bodies by path that are right, in all their forms."""

FORBIDDEN = {"/v1alpha1/comments:suggestscore": 400}
"""Status of what is right, and not allowed here: no file of suggestions is named."""

text = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", " ", "\0", "\u200b", "🙂", RUDE, "1", "true", "a" * 500]),
)
scalar = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**63, -(2**63), 2**64, 10**30, 1e308, -0.0, 5e-324]),
    st.floats(allow_nan=True, allow_infinity=True),
    text,
)
value = st.recursive(
    scalar,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3)),
    max_leaves=8,
)


def places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all values inside a body."""
    yield path
    pairs = (
        body.items()
        if isinstance(body, dict)
        else enumerate(body)
        if isinstance(body, list)
        else ()
    )
    for key, inner in pairs:
        yield from places(inner, (*path, key))


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, bytes]:
    """A path and a body that is right but for one to three places."""
    path = draw(st.sampled_from(sorted(WHOLE)))
    body: Any = json.loads(json.dumps(draw(st.sampled_from(WHOLE[path]))))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(places(body))))
        if not place:
            body = draw(value)
            continue
        holder = body
        for key in place[:-1]:
            holder = holder[key]
        change = draw(st.sampled_from(["replace", "drop", "repeat", "add"]))
        if change == "replace":
            holder[place[-1]] = draw(value)
        elif change == "drop":
            del holder[place[-1]]
        elif isinstance(holder, list):
            holder.extend([holder[place[-1]]] * draw(st.integers(1, 5)))
        else:
            holder[draw(text)] = draw(value)
    content = json.dumps(body).encode()
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(st.binary(max_size=4)) + content[at + 1 :]
    return path, content


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("service")) as one:
        yield one


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def check_error(path: str, status: int, body: Any, media_type: str) -> None:
    """Each face has its own error body."""
    if path == "/v1/labels":
        assert media_type == "application/problem+json"
        assert body["status"] == status and body["title"] and body["detail"]
    elif path.startswith("/v1alpha1"):
        assert (
            body["error"]["code"] == status and body["error"]["status"] and body["error"]["message"]
        )
    elif path.startswith("/v1/"):
        assert set(body["error"]) == {"message", "type", "param", "code"}
    elif path.startswith("/beta"):
        assert set(body) == {"error"} and body["error"]
    else:
        assert set(body) == {"detail"} and body["detail"]


def numbers(body: Any) -> Iterator[float]:
    if isinstance(body, dict | list):
        for inner in body.values() if isinstance(body, dict) else body:
            yield from numbers(inner)
    elif isinstance(body, float):
        yield body


@property_test(250)
@given(case=bodies())
def test_malformed_bodies_are_answered_in_the_faces_words(
    service: Running, case: tuple[str, bytes]
) -> None:
    path, content = case
    headers = {"content-type": "application/json"}
    response = service.client.post(path, content=content, headers=headers)
    assert response.status_code in (200, 400, 413), response.text
    body = json.loads(response.content, parse_constant=refuse)
    assert all(map(math.isfinite, numbers(body)))
    if response.status_code != 200:
        check_error(path, response.status_code, body, response.headers["content-type"])
    assert service.service.waiting == 0


def test_whole_bodies_are_answered(service: Running) -> None:
    for path, wholes in WHOLE.items():
        for body in wholes:
            response = service.client.post(path, json=body)
            images = "image_url" in json.dumps(body) and path == "/v1/moderations"
            assert response.status_code == (400 if images else FORBIDDEN.get(path, 200)), body


def test_the_schema_says_how_each_face_errs(service: Running) -> None:
    schema = service.client.get("/openapi.json").json()
    for path in WHOLE:
        if path == "/setup":
            continue  # it reads no body
        responses = schema["paths"][path]["post"]["responses"]
        assert set(responses) == {"200", "default"}
        ((media_type, content),) = responses["default"]["content"].items()
        real = service.client.post(path, content=b"[", headers={"content-type": media_type})
        assert real.headers["content-type"] == media_type
        assert set(content["example"]) == set(real.json())
    assert "HTTPValidationError" not in json.dumps(schema)
