"""Tasks: label sets, answer formats, records, prompts and presets."""

from labelmass.task.formats import AnswerFormat, make_format
from labelmass.task.labels import Label
from labelmass.task.record import Message, Record
from labelmass.task.task import Task, presets

__all__ = ["AnswerFormat", "Label", "Message", "Record", "Task", "make_format", "presets"]
