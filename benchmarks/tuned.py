"""A guard and an emotion annotator of our own, tuned from the embedded model by one command each.

    python -m benchmarks.tuned guard guard-3.jsonl goemotions.jsonl --out guard
    python -m benchmarks.tuned emotions brighter-deu.jsonl --out emotions

The files are those that `labelmass data import` writes. Every step is a command of labelmass,
printed before it runs, so that it can be run by hand; a stopped run goes on where it was. The
guard's set has no safe text: comments that raters of the second file found neutral stand in, are
trained on with the unsafe ones, and are judged apart.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

PARTS = "train=0.8 dev=0.1 test=0.1"
SAFE = 500
"""Neutral comments that stand in for safe texts, in all parts together."""
READINGS = (
    "hard,first-step,max-over-generations,compare-to-none,token,fixed-place,any-place-pruned,"
    "any-place"
)
EXAMPLES = Path(__file__).parent.parent / "examples"


def labelmass(*words: str | Path) -> None:
    """Run a command of labelmass, and say which."""
    given = [str(word) for word in words]
    print("labelmass", shlex.join(given), flush=True)
    subprocess.run([sys.executable, "-m", "labelmass", *given], check=True)


def records(path: Path) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def join(out: Path, *parts: Path) -> Path:
    """The lines of several files in one."""
    out.write_text("".join(part.read_text(encoding="utf-8") for part in parts), encoding="utf-8")
    return out


def safe_texts(source: Path, out: Path) -> Path:
    """The first neutral comments, as texts to which no hazard applies."""
    neutral = [record for record in records(source) if record["labels"] == ["neutral"]][:SAFE]
    rows = ({"id": f"safe-{r['id']}", "text": r["text"], "labels": []} for r in neutral)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    out.write_text("".join(lines), encoding="utf-8")
    return out


def split(source: Path, near: float, out: Path) -> None:
    """Clusters of near duplicates are dealt whole."""
    labelmass(
        "data", "split", source, "--parts", PARTS, "--near-duplicates", f"{near}", "--out", out
    )


def train(out: Path, task: Path, settings: Sequence[str]) -> None:
    data, dev = out / "train.jsonl", out / "dev.jsonl"
    labelmass("train", data, "--task", task, "--dev", dev, *settings, "--out", out / "model")


def judge(test: Path, model: Path, out: Path) -> None:
    labelmass("compare", test, "--model", model, "--method", READINGS, "--out", out)


def guard(files: list[Path], out: Path) -> None:
    """Writes `safe`, or `unsafe` and the codes below it."""
    unsafe, neutral = files
    split(unsafe, 0.6, out / "unsafe")
    split(safe_texts(neutral, out / "safe.jsonl"), 0.8, out / "safe")
    for part in ("train", "dev"):
        join(out / f"{part}.jsonl", *(out / kind / f"{part}.jsonl" for kind in ("unsafe", "safe")))
    train(out, EXAMPLES / "guard.toml", ("--epochs", "2"))
    for kind in ("unsafe", "safe"):
        judge(out / kind / "test.jsonl", out / "model", out / "run" / kind)


def emotions(files: list[Path], out: Path) -> None:
    """Writes what one annotator would: each epoch shows one annotator's answer to each text."""
    (annotated,) = files
    split(annotated, 0.8, out)
    settings = ("--answers", "annotators", "--epochs", "3")
    train(out, EXAMPLES / "emotions-de.toml", settings)
    judge(out / "test.jsonl", out / "model", out / "run")


WHAT: dict[str, tuple[int, Callable[[list[Path], Path], None]]] = {
    "guard": (2, guard),
    "emotions": (1, emotions),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args()
    count, make = WHAT[args.what]
    if len(args.files) != count:
        parser.error(f"{args.what} takes {count} file{'s' * (count > 1)}, not {len(args.files)}")
    args.out.mkdir(parents=True, exist_ok=True)
    make(args.files, args.out)


if __name__ == "__main__":
    main()
