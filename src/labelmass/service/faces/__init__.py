"""The wires that clients speak, a module each."""

from __future__ import annotations

from labelmass.service.core import Service
from labelmass.service.faces.label_studio import LabelStudioFace
from labelmass.service.faces.litellm import LiteLLMFace
from labelmass.service.faces.native import NativeFace
from labelmass.service.faces.openai_batches import OpenAIBatchFace
from labelmass.service.faces.perspective import PerspectiveFace
from labelmass.service.routing import Face

FACES: tuple[type[Face], ...] = (
    NativeFace,
    OpenAIBatchFace,
    PerspectiveFace,
    LiteLLMFace,
    LabelStudioFace,
)


def make_faces(service: Service) -> list[Face]:
    """Every face of a service."""
    return [face(service) for face in FACES]
