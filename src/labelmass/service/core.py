"""The core that every face asks: texts in, scores and decisions out, within limits."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labelmass.answers.search import Budget
from labelmass.decisions import Policy
from labelmass.decisions.decisions import DecisionRow
from labelmass.errors import LabelMassError, RecordError
from labelmass.estimators import LabelScores
from labelmass.scores import Failure, Result
from labelmass.scoring.isolation import PLAIN
from labelmass.scoring.live import LATE, LiveScorer
from labelmass.scoring.plan import Plan
from labelmass.scoring.scorer import Scorer
from labelmass.service.audit import VARIABLE, Audit
from labelmass.service.keys import Keys
from labelmass.service.names import Names
from labelmass.service.problems import Kind, Problem
from labelmass.service.settings import ServiceSettings
from labelmass.service.telemetry import Telemetry
from labelmass.task import Record, Task

if TYPE_CHECKING:
    from labelmass.service.batches import Batches

DEADLINE = "deadline"
"""Why a record was not explored further, where its time was up."""

PROBED = Budget(max_nodes=1)
"""Budget of a look whether the model answers."""

PROBE_SECONDS = 5.0
"""How long such a look is good for."""

RETRY_SECONDS = 1.0
"""The same after one that failed."""

REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is known of one text.

    Attributes:
        result: Its scores; None where it has none.
        scores: Scores of the headline method, or of the one the policy decides by.
        decided: What the policy says; None without a policy, and without scores.
        action: The strictest action; "review" for a text without scores; None without a policy.
        error: Why it has no scores; "" if it has.
    """

    result: Result | None
    scores: LabelScores | None
    decided: DecisionRow | None
    action: str | None
    error: str = ""

    @property
    def policy(self) -> str | None:
        """Digest of the policy that decided."""
        return None if self.decided is None else self.decided.get("policy")

    @property
    def stopped(self) -> str:
        """`DEADLINE` if time was what kept it from narrower bounds."""
        if self.error == LATE:
            return DEADLINE
        if self.result is None or self.result.summary is None:
            return ""
        return DEADLINE if self.result.summary.stopped == "seconds" else ""


def unscored(assessed: Assessment, pointer: str, code: str) -> Problem:
    """The problem of a text without scores: that of the text, unless its time was up."""
    if assessed.stopped == DEADLINE:
        return Problem(Kind.LATE, retry_after=1)
    return Problem(Kind.INVALID, assessed.error, pointer=pointer, code=code)


class Service:
    """A scorer, and what the faces have in common.

    Args:
        scorer: What is asked of which model; its plan may have a policy.
        settings: Limits, keys and names.
        policy: File of the plan's policy, which `reload` reads anew; None for one that stays.

    Raises:
        LabelMassError: For keys or names that cannot be used.
    """

    def __init__(
        self,
        scorer: Scorer,
        settings: ServiceSettings | None = None,
        *,
        policy: str | Path | None = None,
    ) -> None:
        self.settings = settings or ServiceSettings()
        self.scorer, self.live = scorer, LiveScorer(scorer)
        self._policy_file = policy
        self.keys, self.names = self._read_keys(), self._read_names()
        self.telemetry = Telemetry()
        self.audit = Audit(self.settings.audit)
        self.started = time.time()
        self.draining = False
        self.reload_error = ""
        self.waiting = 0
        self.batches: Batches | None = None
        self._probing = asyncio.Lock()
        self._probed: tuple[float, str] = (-np.inf, "not looked yet")
        signature = json.dumps(scorer.signature.to_dict(), sort_keys=True)
        self.signature = hashlib.sha256(signature.encode()).hexdigest()[:12]

    # -- what it is -----------------------------------------------------------------------------

    @property
    def task(self) -> Task:
        return self.scorer.plan.task

    @property
    def models(self) -> tuple[str, ...]:
        """Names that a request may give the model."""
        return (self.scorer.model.name, *self.settings.aliases)

    @property
    def policy(self) -> str | None:
        """Digest of the policy that decides now; None without one."""
        step = self.scorer.plan.decision
        return None if step is None else step.policy.digest

    @property
    def notes(self) -> list[str]:
        """What whoever starts it should know: faces that are not served, and why."""
        notes: list[str] = []
        if self.policy is None:
            notes.append(
                "no --policy: /v1/moderations and LiteLLM's guardrail, which decide, are not served"
            )
        if self.names.openai is None and self.policy is not None:
            notes.append("no [openai] in --names: /v1/moderations is not served")
        if self.names.perspective is None:
            notes.append("no [perspective] in --names: Perspective's face is not served")
        if self.settings.audit is not None and not self.audit.kept:
            notes.append(
                f"{VARIABLE} is not set: digests in the audit log are keyed for this run alone"
            )
        return notes

    def check_model(self, name: object) -> None:
        """Problem for a model that is not served; None is the one that is."""
        if name is not None and name not in self.models:
            raise Problem(
                Kind.UNKNOWN_MODEL,
                f"this service has no such model; it serves {', '.join(self.models)}",
                pointer="/model",
                code="model_not_found",
            )

    def require_policy(self) -> None:
        """Problem without a policy, for a face whose answer is a decision."""
        if self.policy is None:
            raise Problem(
                Kind.NOT_SERVED, "this face gives decisions, and the service runs without --policy"
            )

    # -- scores ---------------------------------------------------------------------------------

    async def judge(
        self, records: Sequence[Record], face: str, *, patient: bool = False
    ) -> list[Assessment]:
        """What is known of some texts, in their order, once all are read.

        Args:
            face: Name of the face, for metrics and the audit log.
            patient: Take whatever time and place it needs: nobody waits for it.

        Raises:
            Problem: If too many wait, or the model fails. Texts that cannot be scored are no
                problem here, see `Assessment.error`.
        """
        if len(records) > self.settings.max_texts:
            raise Problem(
                Kind.TOO_LARGE, f"{len(records)} texts; at most {self.settings.max_texts}"
            )
        if not patient and self.waiting + len(records) > self.settings.max_waiting:
            raise Problem(
                Kind.OVERLOADED,
                "more texts are waiting than this service may hold: try again",
                retry_after=min(self.settings.deadline, 60),
            )
        self.waiting += len(records)
        self.telemetry.waiting.set(self.waiting)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._judge(record, patient)) for record in records]
        except* LabelMassError as errors:
            self.telemetry.log_failure(errors.exceptions[0])
            raise Problem(Kind.MODEL_FAILED, "the model does not answer", retry_after=5) from None
        finally:
            self.waiting -= len(records)
            self.telemetry.waiting.set(self.waiting)
        assessed = [task.result() for task in tasks]
        for record, one in zip(records, assessed, strict=True):
            self.telemetry.count(one.decided, one.action)
            self.telemetry.event(one.scores or {}, one.decided)
            self.audit.write(face, record, one, self.signature)
        return assessed

    async def _judge(self, record: Record, patient: bool) -> Assessment:
        seconds = None if patient else self.settings.deadline
        outcome = await self.live.score(record, seconds=seconds)
        if isinstance(outcome, Failure):
            action = None if outcome.decisions is None else outcome.decisions["action"]
            return Assessment(None, None, None, action, outcome.error)
        step = self.scorer.plan.decision
        scores = outcome.labels if step is None else outcome.methods[step.method]
        if np.isnan(scores.p).any():
            error = "nothing of what the model writes can be read, so there is no probability"
            return Assessment(outcome, None, None, None if step is None else REVIEW, error)
        decided = outcome.decisions
        return Assessment(outcome, scores, decided, None if decided is None else decided["action"])

    # -- life -----------------------------------------------------------------------------------

    async def health(self) -> str:
        """Why the service is not ready; "" if it is. One look serves all for a while."""
        if self.draining:
            return "stopping"
        async with self._probing:
            at, error = self._probed
            if time.monotonic() - at > (RETRY_SECONDS if error else PROBE_SECONDS):
                error = await self._probe()
                self._probed = time.monotonic(), error
        return error

    async def _probe(self) -> str:
        try:
            plain = Record("probe", text=PLAIN)
            outcome = await self.live.score(plain, seconds=self.settings.deadline, budget=PROBED)
        except (LabelMassError, RecordError) as error:
            self.telemetry.log_failure(error)
            return "the model does not answer"
        return "the model does not answer in time" if isinstance(outcome, Failure) else ""

    def reload(self) -> None:
        """Read keys, names and policy anew.

        Where one is wrong, all stay as they were, and `reload_error` says why.
        """
        try:
            keys, names, plan = self._read_keys(), self._read_names(), self._read_policy()
        except (LabelMassError, OSError) as error:
            self.reload_error = str(error)
            self.telemetry.log_reload(self.reload_error)
            return
        self.keys, self.names = self.keys.replaced_by(keys), names
        self.scorer.plan = plan
        self.reload_error = ""
        self.telemetry.log_reload("")

    async def aclose(self) -> None:
        """Finish what is under way, and write what is left to write."""
        self.draining = True
        if self.batches is not None:
            await self.batches.stop()
        await self.live.aclose()
        self.audit.close()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that `reload` reads."""
        settings = self.settings
        named = (settings.keys, settings.names, self._policy_file)
        return tuple(Path(name) for name in named if name is not None)

    def _read_policy(self) -> Plan:
        plan, file = self.scorer.plan, self._policy_file
        if file is None or plan.decision is None:
            return plan
        return plan.with_policy(Policy.load(file), self.scorer.signature)

    def _read_keys(self) -> Keys:
        path = self.settings.keys
        return Keys() if path is None else Keys.load(path)

    def _read_names(self) -> Names:
        path = self.settings.names
        return Names() if path is None else Names.load(path, self.task.label_names)
