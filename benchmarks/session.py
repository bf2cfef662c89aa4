"""A kept session: where the time of a short text goes, and memory over many texts.

    python -m benchmarks.session
    python -m benchmarks.session --texts 100000

Times are of the embedded model in float32, medians over repeats; memory is the process's resident
set, with a scripted model that answers at once, so that what grows is ours.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Iterator
from typing import Any

import labelmass
from labelmass import ScriptedLanguageModel, Task

SHORT = "We won!"
LABELS = ["joy", "fear", "anger", "sadness"]


def timed(model: Any, name: str, spent: list[float]) -> None:
    """Count what a call of the model takes."""
    call = getattr(model, name)

    def counted(*args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return call(*args, **options)
        finally:
            spent.append(time.perf_counter() - began)

    setattr(model, name, counted)


def warm_call(repeats: int) -> None:
    """Seconds of one short text in a warm session, inside the engine's calls and outside them."""
    model, spent = labelmass.load(device="cpu", dtype="float32"), list[float]()
    scorer = labelmass.Scorer("emotions", model)
    scorer.score([SHORT])
    for name in ("open", "rows", "close"):
        timed(model, name, spent)
    inside: list[float] = []
    outside: list[float] = []
    for _ in range(repeats):
        spent.clear()
        began = time.perf_counter()
        scorer.score([SHORT])
        whole = time.perf_counter() - began
        inside.append(sum(spent))
        outside.append(whole - sum(spent))
    engine, ours = statistics.median(inside), statistics.median(outside)
    print(f"warm, one short text: {engine + ours:.3f} s, {engine:.3f} s inside the engine's calls,")
    print(f"{ours:.3f} s outside ({ours / (engine + ours):.0%}), median of {repeats}")


def texts(count: int) -> Iterator[str]:
    return (f"text {number}" for number in range(count))


def memory(count: int) -> None:
    """Resident memory as results stream by."""
    task = Task(name="benchmark", labels=LABELS, format="comma", instruction="Labels:")
    ends = {label: {"<end>": 1.0} for label in LABELS}
    model = ScriptedLanguageModel({"": dict.fromkeys(LABELS, 0.25)} | ends)
    began = time.perf_counter()
    for number, _ in enumerate(labelmass.Scorer(task, model).stream(texts(count)), start=1):
        if number in (count // 100, count // 10, count // 2, count):
            resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{number:>8,} texts: {resident:,.0f} MiB at most so far")
    print(f"{count / (time.perf_counter() - began):,.0f} texts a second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=0, help="measure memory over so many instead")
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    if args.texts:
        memory(args.texts)
    else:
        warm_call(args.repeats)


if __name__ == "__main__":
    main()
