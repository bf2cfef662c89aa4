"""What those who run the service see: metrics, spans and log lines, never a text, key or id."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry import trace
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from labelmass.answers.marginals import Bounds
from labelmass.decisions.decisions import DecisionRow

LOG = logging.getLogger("labelmass.service")

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Buckets of durations."""


class Telemetry:
    """Metrics of one service, and its log."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "labelmass_requests",
            "Requests by face and HTTP status.",
            ("face", "status"),
            registry=self.registry,
        )
        self.durations = Histogram(
            "labelmass_request_duration_seconds",
            "Time to answer, by face.",
            ("face",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.waiting = Gauge(
            "labelmass_queue_depth", "Texts waiting or under way.", registry=self.registry
        )
        self.decisions = Counter(
            "labelmass_decisions",
            "Decisions by label; the label * is for records, also those without scores.",
            ("label", "decision"),
            registry=self.registry,
        )
        self.failures = Counter(
            "labelmass_model_failures", "Times the model did not answer.", registry=self.registry
        )
        self.reloads = Counter(
            "labelmass_reloads",
            "Times policy, names or keys were read anew, by outcome.",
            ("outcome",),
            registry=self.registry,
        )
        build = Gauge(
            "labelmass_build_info", "Version of labelmass.", ("version",), registry=self.registry
        )
        build.labels(version("labelmass")).set(1)
        self.tracer = trace.get_tracer("labelmass")

    def count(self, decided: DecisionRow | None, action: str | None) -> None:
        """Count what was decided of one record."""
        if action is not None:
            self.decisions.labels("*", action).inc()
        for label, decision in ({} if decided is None else decided["labels"]).items():
            self.decisions.labels(label, decision).inc()

    @contextmanager
    def span(self, face: str, model: str) -> Generator[trace.Span]:
        """A span of one request; spans go nowhere unless the process exports them."""
        attributes = {"gen_ai.operation.name": "evaluate", "gen_ai.request.model": model}
        with self.tracer.start_as_current_span(
            f"labelmass {face}",
            kind=trace.SpanKind.SERVER,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield span

    def event(self, scores: Mapping[str, Bounds], decided: DecisionRow | None) -> None:
        """Note what is known of one record on the span that is open."""
        span = trace.get_current_span()
        if not span.is_recording():
            return
        actions = {} if decided is None else decided["labels"]
        for label, bounds in scores.items():
            about = {"gen_ai.evaluation.name": label}
            if label in actions:
                about["gen_ai.evaluation.score.label"] = actions[label]
            value = {} if bounds.p is None else {"gen_ai.evaluation.score.value": bounds.p}
            span.add_event("gen_ai.evaluation.result", {**about, **value})

    def log_failure(self, error: BaseException) -> None:
        """Say that the model failed, by the kind of error: its message may quote a text."""
        self.failures.inc()
        LOG.error("the model does not answer: %s", type(error).__name__)

    def log_crash(self, error: BaseException) -> None:
        """Say where our own code failed, by lines of code and no values."""
        frames = [f"{type(error).__name__}"]
        trace_ = error.__traceback__
        while trace_ is not None:
            code = trace_.tb_frame.f_code
            frames.append(f"{code.co_filename}:{trace_.tb_lineno} in {code.co_name}")
            trace_ = trace_.tb_next
        LOG.error("a request failed: %s", "\n  ".join(frames))

    def log_reload(self, error: str) -> None:
        """Say that files were read anew, or that they could not be and nothing has changed."""
        self.reloads.labels("failed" if error else "done").inc()
        if error:
            LOG.error("nothing was changed: %s", error)
        else:
            LOG.info("policy, names and keys were read anew")

    def metrics(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self.registry)


class PathFilter(logging.Filter):
    """Takes off the lines of uvicorn's access log what may be secret: queries, ids of files."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_shown(arg) if isinstance(arg, str) else arg for arg in record.args)
        return True


def _shown(path: str) -> str:
    return re.sub(r"\b(file-|batch_)[0-9a-f]+", r"\1...", re.sub(r"\?\S*", "", path))
