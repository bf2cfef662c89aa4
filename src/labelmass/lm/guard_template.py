"""Chat templates of guard models, which put a conversation into an instruction of their own.

Through such a template a task's instruction arrives as a message to be judged, not as what is
asked. It is told by rendering one short user turn: an ordinary template writes little around it,
and nothing of consequence behind it.
"""

from __future__ import annotations

import re

from labelmass.errors import ModelError
from labelmass.lm.base import Tokenizer
from labelmass.task.prompt import Part, Prompt, Turn

PROBE = "labelmass probe"
"""Text of the user's turn."""

WORDS_BEHIND = 5
"""Words behind the user's turn from which a template asks something of its own."""

_TAG = re.compile(r"<[|｜][^|｜>]*[|｜]>|</?[a-z_]+>|\[/?[A-Z_]+\]")
_RISK = re.compile(r"unsafe|safety|harm|polic(?:y|ies)|violat|categor(?:y|ies)|hazard|\brisk")
_TASK = re.compile(
    r"\b(?:check|classif|detect|assess|judge|identify|determine|decide) ?"
    r"[^.\n]{0,80}(?:unsafe|harmful|violat|safety)"
)
"""Words of guard instructions that stand before the user's turn."""


PLAIN = Prompt((Turn("user", (Part(PROBE),)),))


def wraps_in_guard(tokenizer: Tokenizer, prompt: Prompt = PLAIN) -> bool:
    """True if the model's chat template asks for a judgement of what the user says.

    False where there is no template, or it does not take a single user turn.

    Args:
        prompt: Prompt that holds `PROBE` as the user's turn.
    """
    if not tokenizer.has_chat_template:
        return False
    try:
        text = tokenizer.render_prompt(prompt)
    except ModelError:
        return False
    before, found, behind = text.partition(PROBE)
    if not found:
        return False
    before, behind = (_TAG.sub(" ", side).lower() for side in (before, behind))
    asks_after_turn = len(re.findall(r"[^\W\d_]+", behind)) >= WORDS_BEHIND
    risks = {*_RISK.findall(before), *_RISK.findall(behind)}
    return len(risks) > 1 and (asks_after_turn or _TASK.search(before) is not None)
