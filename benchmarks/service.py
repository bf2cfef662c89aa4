"""The service under load: its answers against those of the scorer, its memory, its end, its cost.

    python -m benchmarks.service [--model scripted] [--requests 100000] [--part soak|end|overhead]

The service runs in a process of its own; 16 connections ask all of its faces, for texts of 1 to
300 words. Each number that comes back is compared with that of the same text scored alone, in
this process, without a service.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import multiprocessing
import os
import socket
import statistics
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

import labelmass
from labelmass import ScriptedLanguageModel, Task
from labelmass.decisions import Policy, Rule
from labelmass.decisions.decisions import DecisionRow
from labelmass.estimators import LabelScores
from labelmass.lm.base import LanguageModel
from labelmass.scores import Result
from labelmass.scoring.scorer import Scorer
from labelmass.service.names import CATEGORIES, Names, Value
from labelmass.service.settings import ServiceSettings

CONNECTIONS = 16
BATCH = 16
PATIENCE = 600.0
"""Deadline of the service, so that no answer is cut short."""

TEXTS = {"scripted": 4000, "embedded": 100}
"""Number of different texts."""

INSTRUCTION = "Which? {label_names}. Write them so: insult, threat"
WORDS = Path(__file__).parent / "topics.jsonl"


def scripted(prompt: str, path: tuple[str, ...]) -> dict[str, float]:
    """Probabilities of two labels that depend on all of the prompt."""
    digest = zlib.crc32(prompt.encode())
    insult, threat = digest % 997 / 1000, digest // 997 % 997 / 1000
    if not path:
        none = (1 - insult) * (1 - threat)
        return {"insult": insult, "threat": (1 - insult) * threat, "none": none}
    following = {"insult": {", ": threat, "<end>": 1 - threat}, ", ": {"threat": 1.0}}
    return following.get(path[-1], {"<end>": 1.0})


def make_scorer(kind: str) -> Scorer:
    """The task, the model and the policy that are served and compared with."""
    if kind == "embedded":
        task = Task.load("topics")
        model: LanguageModel = labelmass.load(device="cpu", dtype="float32")
    else:
        labels = ["insult", "threat"]
        task = Task(
            name="manners", labels=labels, format="comma", chat=False, instruction=INSTRUCTION
        )
        tokens = ["insult", "threat", "none", ", ", "<end>"]
        model = ScriptedLanguageModel(scripted, tokens)
    rules = {label: Rule("block", 0.5, review_from=0.4) for label in task.label_names}
    return Scorer(task, model, policy=Policy(rules), batch_size=BATCH)


def names_of(labels: tuple[str, ...]) -> str:
    """A file of names that uses every kind of expression."""
    first, second = labels[:2]
    kinds = [first, second, f"max({first}, {second})", f"not({first})", "absent"]
    openai = "\n".join(f'"{name}" = "{kinds[i % 5]}"' for i, name in enumerate(CATEGORIES))
    attributes = f'TOXICITY = "max({first}, {second})"\nINSULT = "{first}"'
    return f"[openai]\n{openai}\n\n[perspective.attributes]\n{attributes}\n"


def serve(kind: str, port: int, folder: str) -> None:
    """Serve until a signal; in a process of its own."""
    names = Path(folder) / "names.toml"
    settings = ServiceSettings(
        port=port,
        names=str(names),
        deadline=PATIENCE,
        audit=str(Path(folder) / "audit.jsonl"),
    )
    labelmass.serve(make_scorer(kind), settings)


@dataclass
class Child:
    """A service in a process of its own."""

    kind: str
    folder: str
    port: int
    process: Any = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        log = os.open(Path(self.folder) / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        out, error = os.dup(1), os.dup(2)
        os.dup2(log, 1)
        os.dup2(log, 2)
        try:
            context = multiprocessing.get_context("spawn")
            arguments = (self.kind, self.port, self.folder)
            self.process = context.Process(target=serve, args=arguments)
            self.process.start()
        finally:
            for kept, one in ((out, 1), (error, 2)):
                os.dup2(kept, one)
                os.close(kept)
            os.close(log)
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if not self.process.is_alive():
                raise SystemExit((Path(self.folder) / "log").read_text())
            time.sleep(0.1)

    def memory(self) -> float:
        """Resident MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def started(kind: str) -> Iterator[Child]:
    with TemporaryDirectory() as folder:
        labels = make_scorer("scripted").plan.task.label_names
        if kind == "embedded":
            labels = Task.load("topics").label_names
        (Path(folder) / "names.toml").write_text(names_of(labels))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        child = Child(kind, folder, port)
        child.start()
        try:
            yield child
        finally:
            child.process.terminate()
            child.process.join(60)


# -- what is expected ---------------------------------------------------------------------------


class Offline:
    """The scorer without a service: each text once, alone."""

    def __init__(self, kind: str) -> None:
        self.scorer = make_scorer(kind)
        self.labels = self.scorer.plan.task.label_names
        random = Random(7)
        words = [
            w for line in WORDS.read_text().splitlines() for w in json.loads(line)["text"].split()
        ]
        longest = 300 if kind == "scripted" else 60
        self.texts = [
            " ".join(random.choices(words, k=1 + int(longest * random.random() ** 3)))
            for _ in range(TEXTS[kind])
        ]
        self.texts = [f"{number} {text}" for number, text in enumerate(self.texts)]
        with TemporaryDirectory() as folder:
            file = Path(folder) / "names.toml"
            file.write_text(names_of(self.labels))
            self.names = Names.load(file, self.labels)
        self._results: dict[str, Result] = {}

    def result(self, text: str) -> Result:
        if text not in self._results:
            (found,) = self.scorer.score([text])
            assert isinstance(found, Result)
            self._results[text] = found
        return self._results[text]

    def scores(self, text: str) -> LabelScores:
        return self.result(text).labels

    def decided(self, text: str) -> DecisionRow:
        decided = self.result(text).decisions
        assert decided is not None
        return decided

    def value(self, expression: Any, text: str) -> Value:
        return expression.value(self.scores(text), self.decided(text))


Pair = tuple[float, float]
Check = Callable[[Any], tuple[list[Pair], bool]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and a check of its answer: pairs of numbers, and if the rest is right."""

    path: str
    body: dict[str, Any]
    check: Check


class Requests:
    """Requests of all faces."""

    def __init__(self, offline: Offline, seed: int) -> None:
        self.offline, self.random = offline, Random(seed)
        self.kinds = [
            self.labels,
            self.moderations,
            self.decisions,
            self.perspective,
            self.litellm,
            self.label_studio,
        ]

    def next(self) -> Asked:
        return self.random.choice(self.kinds)()

    def some(self, most: int = 2) -> list[str]:
        return self.random.choices(self.offline.texts, k=self.random.randint(1, most))

    def labels(self) -> Asked:
        texts, offline = self.some(), self.offline

        def check(body: Any) -> tuple[list[Pair], bool]:
            pairs: list[Pair] = []
            for text, one in zip(texts, body["results"], strict=True):
                wanted = offline.scores(text).to_dict()
                for label, bounds in one["labels"].items():
                    pairs += [(bounds[end], wanted[label][end]) for end in ("p", "low", "high")]
            actions = [one["action"] for one in body["results"]]
            return pairs, actions == [offline.decided(text)["action"] for text in texts]

        return Asked("/v1/labels", {"texts": texts}, check)

    def moderations(self) -> Asked:
        texts, offline = self.some(), self.offline
        expressions = offline.names.openai
        assert expressions is not None

        def check(body: Any) -> tuple[list[Pair], bool]:
            pairs: list[Pair] = []
            right = True
            for text, one in zip(texts, body["results"], strict=True):
                for name, expression in expressions.items():
                    wanted = 0.0 if expression is None else offline.value(expression, text).p
                    pairs.append((one["category_scores"][name], wanted))
                right &= one["flagged"] == (offline.decided(text)["action"] != "allow")
            return pairs, right

        given: Any = texts[0] if len(texts) == 1 else texts
        return Asked("/v1/moderations", {"input": given}, check)

    def decisions(self) -> Asked:
        text, offline = self.random.choice(self.offline.texts), self.offline
        asked = self.random.sample(offline.labels, k=2)
        questions = [{"type": "predicate", "name": n, "instructions": "?"} for n in asked]

        def check(body: Any) -> tuple[list[Pair], bool]:
            answers, scores = body["answers"], offline.scores(text)
            pairs = [(a["probability"], float(scores[a["name"]].p or 0)) for a in answers]
            return pairs, [a["name"] for a in answers] == asked

        return Asked("/v1/decisions", {"input": text, "questions": questions}, check)

    def perspective(self) -> Asked:
        text, offline = self.random.choice(self.offline.texts), self.offline
        assert offline.names.perspective is not None
        attributes = offline.names.perspective.attributes

        def check(body: Any) -> tuple[list[Pair], bool]:
            found = body["attributeScores"]
            return [
                (found[name]["summaryScore"]["value"], offline.value(expression, text).p)
                for name, expression in attributes.items()
            ], set(found) == set(attributes)

        body = {"comment": {"text": text}, "requestedAttributes": {n: {} for n in attributes}}
        return Asked("/v1alpha1/comments:analyze", body, check)

    def litellm(self) -> Asked:
        texts, offline = self.some(), self.offline

        def check(body: Any) -> tuple[list[Pair], bool]:
            held = any(offline.decided(t)["action"] not in ("allow", "flag") for t in texts)
            return [], body["action"] == ("BLOCKED" if held else "NONE")

        body = {"input_type": "request", "texts": texts}
        return Asked("/beta/litellm_basic_guardrail_api", body, check)

    def label_studio(self) -> Asked:
        texts, offline = self.some(), self.offline
        choices = "".join(f'<Choice value="{label}"/>' for label in offline.labels)
        config = (
            '<View><Text name="t" value="$text"/><Choices name="c" toName="t">'
            f"{choices}</Choices></View>"
        )

        def check(body: Any) -> tuple[list[Pair], bool]:
            pairs: list[Pair] = []
            right = True
            for text, one in zip(texts, body["results"], strict=True):
                given = [
                    label for label in offline.labels if label in offline.decided(text)["given"]
                ]
                found = [name for region in one["result"] for name in region["value"]["choices"]]
                right &= found == given
                least = min((float(offline.scores(text)[n].p or 0) for n in given), default=0.0)
                pairs.append((one["score"], least))
            return pairs, right

        tasks = [{"data": {"text": text}} for text in texts]
        return Asked("/predict", {"tasks": tasks, "label_config": config}, check)


# -- load ---------------------------------------------------------------------------------------


@dataclass
class Found:
    """Outcomes of requests."""

    statuses: Counter[str] = field(default_factory=Counter[str])
    wrong: int = 0
    furthest: float = 0.0
    nats: float = 0.0
    signalled: float = math.inf

    def compare(self, pairs: list[Pair], right: bool, tolerance: float) -> None:
        apart = max((abs(a - b) for a, b in pairs), default=0.0)
        nats = max((abs(math.log(a / b)) for a, b in pairs if a > 0 and b > 0), default=0.0)
        self.furthest, self.nats = max(self.furthest, apart), max(self.nats, nats)
        self.wrong += not right or not apart <= tolerance


async def load(
    child: Child,
    requests: Requests,
    found: Found,
    *,
    go_on: Callable[[], bool],
    tolerance: float,
    done: Callable[[], None] = lambda: None,
) -> None:
    """Ask on all connections while `go_on`."""

    async def ask(session: aiohttp.ClientSession) -> None:
        while go_on():
            asked, sent = requests.next(), time.monotonic()
            try:
                async with session.post(asked.path, json=asked.body) as response:
                    body = await response.json(content_type=None)
                    status = response.status
            except aiohttp.ClientConnectorError:
                found.statuses["refused"] += 1
                await asyncio.sleep(0.05)
                continue
            except (aiohttp.ClientError, ConnectionError) as error:
                when = "before" if sent < found.signalled else "after"
                found.statuses[f"{type(error).__name__}, sent {when} the signal"] += 1
                continue
            found.statuses[str(status)] += 1
            if status == 200:
                found.compare(*asked.check(body), tolerance)
            done()

    timeout = aiohttp.ClientTimeout(PATIENCE)
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    session = aiohttp.ClientSession(child.url, timeout=timeout, connector=connector)
    async with session, asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(ask(session))


def soak(kind: str, count: int, tolerance: float) -> None:
    """Many requests: wrong answers, and memory."""
    offline = Offline(kind)
    for text in offline.texts:
        offline.result(text)
    with started(kind) as child:
        left, finished, found = count, 0, Found()
        marks = {count // 20 * step for step in (1, 2, 5, 10, 15, 20)}
        began = time.perf_counter()

        def go_on() -> bool:
            nonlocal left
            left -= 1
            return left >= 0

        def done() -> None:
            nonlocal finished
            finished += 1
            if finished in marks:
                so_far = f"{child.memory():.0f} MiB, {found.wrong} wrong"
                print(f"after {finished:,} requests: {so_far}", flush=True)

        asyncio.run(
            load(child, Requests(offline, 1), found, go_on=go_on, tolerance=tolerance, done=done)
        )
        seconds = time.perf_counter() - began
        lines = (Path(child.folder) / "audit.jsonl").read_text().splitlines()
        log = (Path(child.folder) / "log").read_text()
    print(f"{count:,} requests, {kind}: {dict(found.statuses)}, {found.wrong} wrong")
    print(f"furthest: {found.furthest:.2g}, {found.nats:.2g} nats")
    print(f"{count / seconds:,.0f} requests, {len(lines) / seconds:,.0f} texts a second")
    print(f"errors in the log: {sum('ERROR' in line for line in log.splitlines())}")


def end(kind: str, tolerance: float) -> None:
    """A drain and a kill under load, and a restart."""
    offline = Offline(kind)
    with started(kind) as child:
        for how in ("terminate", "kill"):
            found = Found()

            async def under_load(how: str = how, found: Found = found) -> None:
                until = math.inf
                work = asyncio.create_task(
                    load(
                        child,
                        Requests(offline, 2),
                        found,
                        go_on=lambda: time.monotonic() < until,
                        tolerance=tolerance,
                    )
                )
                await asyncio.sleep(3)
                found.signalled = time.monotonic()
                getattr(child.process, how)()
                await asyncio.to_thread(child.process.join)
                until = time.monotonic() + 0.5
                await work

            asyncio.run(under_load())
            print(f"{how} under load: {dict(found.statuses)}, {found.wrong} wrong")
            child.start()
        found, left = Found(), 200

        def go_on() -> bool:
            nonlocal left
            left -= 1
            return left >= 0

        asyncio.run(load(child, Requests(offline, 3), found, go_on=go_on, tolerance=tolerance))
        lines = (Path(child.folder) / "audit.jsonl").read_text().splitlines()
        print(f"after the restart: {dict(found.statuses)}, {found.wrong} wrong")
    whole = sum(isinstance(json.loads(line), dict) for line in lines)
    print(f"audit log: {whole} of {len(lines)} lines are whole")


def overhead(kind: str, rounds: int = 5) -> None:
    """Records a second at full batches, and milliseconds of one text alone, against the scorer."""
    offline = Offline(kind)
    texts = offline.texts[: 64 if kind == "embedded" else 512]
    batches = [texts[n : n + BATCH] for n in range(0, len(texts), BATCH)]
    ratios: list[float] = []
    added: list[float] = []
    alone: list[float] = []

    async def ask(session: aiohttp.ClientSession, some: list[str]) -> None:
        async with session.post("/v1/labels", json={"texts": some}) as response:
            assert response.status == 200
            await response.read()

    async def measure(child: Child) -> None:
        connector = aiohttp.TCPConnector(keepalive_timeout=2)  # the service ends silence after 5 s
        async with aiohttp.ClientSession(child.url, connector=connector) as session:
            await ask(session, texts[:BATCH])
            for _ in range(rounds):
                began = time.perf_counter()
                offline.scorer.score(texts)
                plain = time.perf_counter() - began
                began = time.perf_counter()
                waiting = iter(batches)

                async def connection(waiting: Iterator[list[str]] = waiting) -> None:
                    for some in waiting:
                        await ask(session, some)

                await asyncio.gather(*(connection() for _ in range(4)))
                ratios.append(plain / (time.perf_counter() - began))
                for text in texts[:10]:
                    began = time.perf_counter()
                    offline.scorer.score([text])
                    plain = time.perf_counter() - began
                    began = time.perf_counter()
                    await ask(session, [text])
                    added.append(time.perf_counter() - began - plain)
                    alone.append(plain)

    with started(kind) as child:
        asyncio.run(measure(child))
    print(f"{kind}, full batches: {statistics.median(ratios):.2f} of the scorer's records a second")
    print(
        f"one text at a time: {1000 * statistics.median(added):.1f} ms more than the scorer's "
        f"{1000 * statistics.median(alone):.1f} ms (medians of {len(added)})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=list(TEXTS), default="scripted")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--part", choices=("soak", "end", "overhead"))
    args = parser.parse_args()
    tolerance = 1e-9 if args.model == "scripted" else 1e-4
    if args.part in (None, "soak"):
        soak(args.model, args.requests, tolerance)
    if args.part in (None, "end"):
        end(args.model, tolerance)
    if args.part in (None, "overhead"):
        overhead(args.model)


if __name__ == "__main__":
    main()
