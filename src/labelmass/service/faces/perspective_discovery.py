"""The discovery document of Perspective's face, with this service as its root."""

from __future__ import annotations

from typing import Any


def discovery(root: str) -> dict[str, Any]:
    """The document.

    Args:
        root: URL of the service, ending in a slash.
    """
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "commentanalyzer:v1alpha1",
        "name": "commentanalyzer",
        "version": "v1alpha1",
        "title": "Perspective Comment Analyzer API",
        "description": "Probabilities of attributes of comments, from a model of one's own.",
        "protocol": "rest",
        "rootUrl": root,
        "servicePath": "",
        "baseUrl": root,
        "batchPath": "batch",
        "parameters": {
            "alt": {"type": "string", "location": "query", "default": "json", "enum": ["json"]},
            "fields": {"type": "string", "location": "query"},
            "key": {"type": "string", "location": "query"},
            "prettyPrint": {"type": "boolean", "location": "query", "default": "true"},
        },
        "schemas": {
            "AnalyzeCommentRequest": _any("AnalyzeCommentRequest"),
            "AnalyzeCommentResponse": _any("AnalyzeCommentResponse"),
            "SuggestCommentScoreRequest": _any("SuggestCommentScoreRequest"),
            "SuggestCommentScoreResponse": _any("SuggestCommentScoreResponse"),
        },
        "resources": {
            "comments": {
                "methods": {
                    "analyze": _method("analyze", "AnalyzeComment"),
                    "suggestscore": _method("suggestscore", "SuggestCommentScore"),
                }
            }
        },
    }


def _method(name: str, schema: str) -> dict[str, Any]:
    return {
        "id": f"commentanalyzer.comments.{name}",
        "path": f"v1alpha1/comments:{name}",
        "flatPath": f"v1alpha1/comments:{name}",
        "httpMethod": "POST",
        "parameterOrder": [],
        "parameters": {},
        "request": {"$ref": f"{schema}Request"},
        "response": {"$ref": f"{schema}Response"},
    }


def _any(name: str) -> dict[str, Any]:
    return {"id": name, "type": "object", "additionalProperties": {"type": "any"}}
