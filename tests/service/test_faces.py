"""The faces: each client's own library, its fields, its errors, and the number of `score`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httplib2
import openai
import pytest
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from helpers.service import CLOSE, KIND, RUDE, Running, make_scorer, running
from labelmass.service.names import CATEGORIES


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("service")
    with running(folder, feedback=str(folder / "feedback.jsonl"), aliases=("moderator",)) as one:
        yield one


QUESTION = {"type": "predicate", "name": "insult", "instructions": "Is it an insult?"}


def offline(text: str) -> Any:
    (result,) = make_scorer().score([text])
    return result


def ask(service: Running, path: str, body: Any, status: int = 200) -> Any:
    response = service.client.post(path, json=body)
    assert response.status_code == status, response.text
    return response.json()


# -- one number --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [RUDE, KIND, CLOSE])
def test_every_face_gives_the_number_of_score(service: Running, text: str) -> None:
    expected = offline(text)["insult"].p
    native = ask(service, "/v1/labels", {"texts": [text]})["results"][0]["labels"]["insult"]["p"]
    moderated = ask(service, "/v1/moderations", {"input": text})["results"][0]["category_scores"]
    asked = {"input": text, "questions": [QUESTION]}
    decided = ask(service, "/v1/decisions", asked)["answers"][0]["probability"]
    wanted = {"comment": {"text": text}, "requestedAttributes": {"INSULT": {}}}
    commented = ask(service, "/v1alpha1/comments:analyze", wanted)["attributeScores"]["INSULT"]
    many = ask(service, "/v1/labels", {"texts": [KIND, text, RUDE]})["results"]
    found = [
        native,
        moderated["harassment"],
        decided,
        commented["summaryScore"]["value"],
        many[1]["labels"]["insult"]["p"],
    ]
    assert found == pytest.approx([expected] * 5, abs=1e-9)


# -- ours --------------------------------------------------------------------------------------


def test_native_answers_say_what_was_decided_and_why(service: Running) -> None:
    response = service.client.post("/v1/labels", json={"texts": [RUDE, KIND]})
    body = response.json()
    rude, kind = body["results"]
    assert rude["action"] == "block" and kind["action"] == "allow"
    assert "block at 0.5 or more" in rude["why"]["insult"] and kind["why"] == {}
    assert rude["labels"]["insult"]["low"] <= 0.9 <= rude["labels"]["insult"]["high"]
    assert body["policy"] == service.service.policy == response.headers["labelmass-policy"]
    assert body["signature"] == service.service.scorer.signature.to_dict()
    assert response.headers["labelmass-signature"] == service.service.signature


def test_records_may_be_conversations(service: Running) -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": RUDE}]
    rows = [{"id": 7, "messages": messages}, {"prompt": "hi", "response": KIND}]
    first, second = ask(service, "/v1/labels", {"records": rows})["results"]
    assert first["action"] == "block" and second["action"] == "allow"


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({}, "#", "texts or records"),
        ({"texts": []}, "#/texts", "at least 1"),
        ({"texts": [" "]}, "#/texts/0", "text is empty"),
        ({"texts": ["a"], "records": [{"text": "a"}]}, "#", "not both"),
        ({"records": [{"text": "a"}, {"txt": "a"}]}, "#/records/1", "missing 'text'"),
        ({"texts": ["a"], "model_name": "x"}, "#/model_name", "not permitted"),
        ({"texts": "a"}, "#/texts", "valid list"),
        ({"texts": ["a"], "model": "gpt-4"}, "#/model", "no such model"),
    ],
)
def test_native_errors_point_at_what_is_wrong(
    service: Running, body: Any, pointer: str, detail: str
) -> None:
    response = service.client.post("/v1/labels", json=body)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == 400 and detail in problem["detail"]
    if pointer != "#/model":
        assert problem["errors"][0]["pointer"] == pointer


# -- OpenAI ------------------------------------------------------------------------------------


@pytest.fixture
def client(service: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{service.url}/v1",
        api_key="any",
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


def test_moderations_pass_the_strict_client(client: openai.OpenAI) -> None:
    answer = client.moderations.create(input=[RUDE, KIND, "insult 1 threat 25"])
    rude, kind, review = answer.results
    assert rude.flagged and rude.categories.harassment and rude.categories.violence
    assert not rude.categories.harassment_threatening and not rude.categories.hate
    assert not kind.flagged and not any(kind.categories.to_dict().values())
    assert review.flagged and review.categories.violence and not review.categories.harassment
    assert rude.category_applied_input_types.harassment == ["text"]
    assert rude.category_applied_input_types.hate == [] and rude.category_scores.hate == 0
    assert set(rude.category_scores.to_dict()) == set(CATEGORIES)
    extra = review.to_dict()["labelmass"]
    assert extra["action"] == "review" and extra["review"] == ["violence"]
    low, high = extra["bounds"]["harassment"]
    assert low <= review.category_scores.harassment <= high


def test_moderations_take_every_form_of_input(client: openai.OpenAI) -> None:
    assert len(client.moderations.create(input=RUDE).results) == 1
    assert len(client.moderations.create(input=[RUDE]).results) == 1
    parts: Any = [{"type": "text", "text": "hello"}, {"type": "text", "text": RUDE}]
    (one,) = client.moderations.create(input=parts, model="moderator").results
    assert one.flagged


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"input": ""}, "input", None),
        ({"input": []}, "input", None),
        ({"input": ["a", " "]}, "input.1", None),
        ({"input": "a", "model": "omni-moderation-latest"}, "model", "model_not_found"),
        (
            {"input": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/x.png"}}]},
            "input.0",
            "unsupported_image",
        ),
        ({}, "input", None),
    ],
)
def test_moderations_refuse_what_they_cannot_judge(
    service: Running, body: Any, param: str, code: str | None
) -> None:
    error = ask(service, "/v1/moderations", body, 400)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error" and error["code"] == code
    assert error["param"].startswith(param)


def test_decisions_pass_the_strict_client(client: openai.OpenAI) -> None:
    questions: Any = [
        {"type": "predicate", "name": "threat", "instructions": "Is it a threat?"},
        {"type": "predicate", "name": None, "instructions": "Is it blue?"},
        {"type": "predicate", "name": "INSULT ", "instructions": "Is it an insult?"},
        {"type": "predicate", "name": "threat", "instructions": "The same again."},
        {
            "type": "choice",
            "name": "mood",
            "instructions": "Which?",
            "choices": [{"value": "true"}, {"value": True}],
        },
    ]
    messages: Any = [{"role": "user", "content": [{"type": "input_text", "text": RUDE}]}]
    answer = client.decisions.create(model="moderator", input=messages, questions=questions)
    kinds = [one.type for one in answer.answers]
    assert kinds == ["predicate", "refusal", "refusal", "predicate", "refusal"]
    first, unnamed, *_ = answer.answers
    assert first.name == "threat" and unnamed.name is None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


def test_decisions_pass_over_no_image(service: Running) -> None:
    image = {"type": "input_image", "text": KIND, "image_url": "http://127.0.0.1:1/x.png"}
    body = {"input": [{"role": "user", "content": [image]}], "questions": [QUESTION]}
    assert ask(service, "/v1/decisions", body, 400)["error"]["code"] == "unsupported_content"


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    names = [one.id for one in client.models.list()]
    assert names == ["manners-1b", "moderator"]
    assert client.models.retrieve("moderator").id == "moderator"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4")


# -- Perspective -------------------------------------------------------------------------------


def analyze(service: Running, status: int = 200, **body: Any) -> Any:
    whole = {"comment": {"text": RUDE}, "requestedAttributes": {"TOXICITY": {}}} | body
    return ask(service, "/v1alpha1/comments:analyze?key=any", whole, status)


def test_googles_client_finds_and_calls_it(service: Running) -> None:
    http = httplib2.Http()
    client = build(
        "commentanalyzer",
        "v1alpha1",
        developerKey="any",
        discoveryServiceUrl=f"{service.url}/$discovery/rest?version=v1alpha1",
        static_discovery=False,
        http=http,
    )
    body = {
        "comment": {"text": RUDE},
        "requestedAttributes": {"TOXICITY": {}, "INSULT@2": {}},
        "languages": ["en"],
        "clientToken": "t1",
    }
    answer = client.comments().analyze(body=body).execute()
    assert set(answer["attributeScores"]) == {"TOXICITY", "INSULT@2"}
    assert answer["attributeScores"]["TOXICITY"]["summaryScore"]["type"] == "PROBABILITY"
    assert answer["languages"] == ["en"] and answer["clientToken"] == "t1"
    assert "detectedLanguages" not in answer  # none is detected here
    with pytest.raises(HttpError) as failed:
        client.comments().analyze(body=body | {"comment": {"text": ""}}).execute()
    assert failed.value.status_code == 400 and "Comment must be non-empty." in str(failed.value)
    suggestion = {"comment": {"text": "hi"}, "attributeScores": {"INSULT": {}}, "clientToken": "t"}
    assert client.comments().suggestscore(body=suggestion).execute()["clientToken"] == "t"
    http.close()


def test_attributes_below_their_threshold_are_left_out(service: Running) -> None:
    wanted: dict[str, Any] = {"TOXICITY": {"scoreThreshold": 0.99}, "INSULT": {"scoreThreshold": 0}}
    assert set(analyze(service, requestedAttributes=wanted)["attributeScores"]) == {"INSULT"}
    assert "attributeScores" not in analyze(
        service, requestedAttributes={"TOXICITY": {"scoreThreshold": 1}}
    )
    kept = analyze(service, requestedAttributes={"AFFINITY_EXPERIMENTAL": {}})
    assert kept["attributeScores"]["AFFINITY_EXPERIMENTAL"]["summaryScore"]["value"] < 0.2


def test_spans_are_counted_in_utf_16(service: Running) -> None:
    text = "🙂 e\u0301\r\n" + RUDE
    answer = analyze(service, comment={"text": text}, spanAnnotations=True)
    (span,) = answer["attributeScores"]["TOXICITY"]["spanScores"]
    assert (span["begin"], span["end"]) == (0, len(text) + 1)


@pytest.mark.parametrize(
    ("body", "message", "kind"),
    [
        ({"comment": {"text": ""}}, "Comment must be non-empty.", "COMMENT_EMPTY"),
        ({"comment": {}}, "Comment must be non-empty.", "COMMENT_EMPTY"),
        ({"comment": {"text": "é" * 10_241}}, "Comment text too long.", "COMMENT_TOO_LONG"),
        ({"requestedAttributes": {}}, "Missing requested_attributes", "NO_REQUESTED_ATTRIBUTES"),
        (
            {"requestedAttributes": {"SPAM": {}}},
            "Unknown requested attribute: SPAM",
            "INVALID_REQUEST",
        ),
        (
            {"languages": ["fr"]},
            "Attribute TOXICITY does not support request languages: fr",
            "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        ),
        (
            {"requestedAttributes": {"INSULT": {"scoreType": "PERCENTILE"}}},
            "Score type PERCENTILE is not supported.",
            "INVALID_REQUEST",
        ),
    ],
)
def test_perspective_errors_are_those_that_clients_match(
    service: Running, body: Any, message: str, kind: str
) -> None:
    error = analyze(service, 400, **body)["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["message"] == message and error["details"][0]["errorType"] == kind


def test_unsupported_attributes_are_dropped_only_where_asked(service: Running) -> None:
    wanted: dict[str, Any] = {"SPAM": {}, "INSULT": {}}
    body = {"requestedAttributes": wanted, "dropUnsupportedAttributes": True}
    assert set(analyze(service, **body)["attributeScores"]) == {"INSULT"}


def test_a_suggestion_is_kept_unless_it_must_not_be(service: Running) -> None:
    file = Path(str(service.service.settings.feedback))
    body: dict[str, Any] = {
        "comment": {"text": "not rude at all"},
        "attributeScores": {"INSULT": {"summaryScore": {"value": 0}}},
    }
    ask(service, "/v1alpha1/comments:suggestscore", body)
    assert "not rude at all" in file.read_text()
    body["comment"]["text"] = "never-keep-this"
    ask(service, "/v1alpha1/comments:suggestscore", body | {"doNotStore": True}, 400)
    assert "never-keep-this" not in file.read_text()


# -- LiteLLM -----------------------------------------------------------------------------------

GUARD = "/beta/litellm_basic_guardrail_api"


@pytest.mark.parametrize(
    ("texts", "action"),
    [
        ([KIND], "NONE"),
        ([KIND, RUDE], "BLOCKED"),
        (["insult 1 threat 25"], "BLOCKED"),
        (["insult 1 threat 35"], "NONE"),  # flagged, and let pass
        ([], "NONE"),
        (["", KIND], "NONE"),
    ],
)
def test_litellm_blocks_what_the_policy_blocks_or_holds(
    service: Running, texts: list[str], action: str
) -> None:
    body = {"input_type": "request", "texts": texts, "model": None, "images": None, "tools": None}
    answer = ask(service, GUARD, body)
    assert answer["action"] == action and ("blocked_reason" in answer) == (action == "BLOCKED")
    assert "insult" not in answer.get("blocked_reason", "")


def test_litellm_images_are_blocked_and_never_fetched(service: Running) -> None:
    body = {"input_type": "request", "texts": [KIND], "images": ["http://127.0.0.1:1/x.png"]}
    assert ask(service, GUARD, body)["action"] == "BLOCKED"


@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        ({"function": {"name": "say", "arguments": f'{{"text": "{RUDE}"}}'}}, "BLOCKED"),
        ({"function": {"name": "say", "arguments": f'{{"a": "\\u0069{RUDE[1:]}"}}'}}, "BLOCKED"),
        ({"function": {"name": "say", "arguments": f"not JSON: {RUDE}"}}, "BLOCKED"),
        ({"function": {"name": "say", "arguments": {"text": RUDE}}}, "BLOCKED"),
        ({"custom": {"name": "say", "input": RUDE}}, "BLOCKED"),
        ({"function": {"name": "say"}}, "BLOCKED"),
        ("say", "BLOCKED"),
        ({"function": {"name": "say", "arguments": f'{{"text": "{KIND}"}}'}}, "NONE"),
        ({"function": {"name": "now", "arguments": ""}}, "NONE"),
    ],
)
def test_litellm_tool_calls_are_read(service: Running, arguments: Any, action: str) -> None:
    body = {"input_type": "response", "texts": None, "tool_calls": [arguments]}
    assert ask(service, GUARD, body)["action"] == action


@pytest.mark.parametrize("kind", ["file", "input_audio", "image_url", None])
def test_litellm_parts_that_are_no_texts_are_blocked(service: Running, kind: str | None) -> None:
    parts: list[Any] = [{"type": "text", "text": KIND}]
    body: dict[str, Any] = {"input_type": "request", "texts": [KIND]}
    messages: list[Any] = [{"role": "system", "content": "x"}, {"role": "user", "content": parts}]
    assert ask(service, GUARD, body | {"structured_messages": messages})["action"] == "NONE"
    parts.append({"type": kind, "file": {}})
    assert ask(service, GUARD, body | {"structured_messages": messages})["action"] == "BLOCKED"


# -- Label Studio ------------------------------------------------------------------------------

INTERFACE = """
<View><Text name="t" value="$comment"/>
<Choices name="c" toName="t" choice="multiple">
  <Choice value="Insult "/><Choice value="threat"/><Choice value="other"/>
</Choices></View>
"""


def test_label_studio_gets_a_prediction_for_each_task(service: Running) -> None:
    tasks = [
        {"data": {"comment": RUDE}},
        {"data": {}},
        {"data": {"comment": KIND}},
        {"data": {"comment": ""}},
    ]
    body = {"tasks": tasks, "label_config": INTERFACE.replace("Insult ", "insult")}
    results = ask(service, "/predict", body)["results"]
    assert len(results) == len(tasks)
    (region,) = results[0]["result"]
    assert region["value"] == {"choices": ["insult"]} and region["type"] == "choices"
    assert (region["from_name"], region["to_name"]) == ("c", "t")
    assert results[0]["score"] == pytest.approx(offline(RUDE)["insult"].p)
    assert [one["result"] for one in results[1:]] == [[], [], []]
    version = service.client.post("/setup", json={}).json()["model_version"]
    assert {one["model_version"] for one in results} == {version}
    assert service.client.get("/health").json()["status"] == "UP"


@pytest.mark.parametrize(
    "config",
    [
        "<View/>",
        "<View",
        INTERFACE.replace('value="$comment"', 'value="hello"'),
        '<!DOCTYPE x [<!ENTITY a "b">]>' + INTERFACE,
        INTERFACE.replace("Insult ", "x").replace("threat", "y"),
    ],
)
def test_label_studio_says_which_interface_it_cannot_read(service: Running, config: str) -> None:
    body = {"tasks": [{"data": {"comment": RUDE}}], "label_config": config}
    assert ask(service, "/predict", body, 400)["detail"]
