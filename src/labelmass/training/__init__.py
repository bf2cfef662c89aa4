"""Training: a model taught to write a task's answers, from human labels."""

from __future__ import annotations

from labelmass.training.settings import Settings
from labelmass.training.training import TrainingResult, train

__all__ = ["Settings", "TrainingResult", "train"]
