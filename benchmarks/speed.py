"""`make bench`: every speed claim, as ratios within one run. Prints a table and writes JSON.

    python -m benchmarks.speed [--records FILE] [--quick]

Float32 on the CPU, the embedded model, the Llama Guard 3 preset with its four demonstrations.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import labelmass
from benchmarks.published import PublishedSearch
from labelmass.answers.prompt_boundary import PromptBoundary
from labelmass.answers.search import Budget, Requirements
from labelmass.lm.base import PROMPT, NodeQuery
from labelmass.scoring.explorer import Explorer
from labelmass.scoring.plan import Plan
from labelmass.scoring.scorer import Scorer
from labelmass.task import Record, Task

SHARED = Path(__file__).parents[2] / "shared" / "data" / "llamaguard3_safety.jsonl"
OWN = Path(__file__).parents[1] / "examples" / "prompts.jsonl"
TOLERANCES = (0.3, 0.2, 0.1, 0.05, 0.02, 0.01)


def seconds(work: Callable[[], Any], times: int = 1) -> float:
    """Median seconds of a few runs."""
    found: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


class Bench:
    """The records, the task and the model that everything here is measured with."""

    def __init__(self, records: Path, quick: bool) -> None:
        self.task = Task.load("llama-guard-3")
        self.model = labelmass.load(device="cpu", dtype="float32")
        self.boundary = PromptBoundary(self.task, self.model.tokenizer)
        lines = records.read_text().splitlines()
        self.records = [Record.from_dict(json.loads(line), i) for i, line in enumerate(lines)]
        while len(self.records) < 64:
            self.records *= 2
        self.network = self.model.network
        self.quick = quick

    def prompts(self, count: int, start: int = 0) -> list[list[int]]:
        return [list(self.boundary.start(r).ids) for r in self.records[start : start + count]]

    def explore(
        self, count: int, batch: int, tolerance: float, start: int = 0, **requirements: Any
    ):
        """Explored records, the shared instruction computed before."""
        explorer = Explorer(
            self.model,
            self.task,
            budget=Budget(tolerance=tolerance),
            requirements=Requirements(**requirements) if requirements else None,
            batch_size=batch,
        )
        chosen = self.records[start : start + count]
        return [outcome for _, _, outcome in explorer.explore(enumerate(chosen))]

    def prefill(self, prompts: list[list[int]], batch: int, shared: int) -> None:
        """Only the prompt's row of each record."""
        nothing = np.zeros(0, dtype=np.int64)
        for first in range(0, len(prompts), batch):
            handles = self.model.open(prompts[first : first + batch], shared)
            self.model.rows([NodeQuery(h, PROMPT, PROMPT, -1, nothing) for h in handles])
            for handle in handles:
                self.model.close(handle)

    def shared(self) -> int:
        return self.boundary.shared([self.boundary.start(self.records[0])])

    # -- what is measured -----------------------------------------------------------------------

    def against_published(self) -> dict[str, Any]:
        few = 2 if self.quick else 3
        spellings = [forms[0] for forms in self.task.spellings]
        tokenizer = self.model.tokenizer
        rival = PublishedSearch(self.network, tokenizer.token_bytes, tokenizer.end_ids, spellings)
        prompts = self.prompts(few)
        published: list[dict[str, float]] = []

        def run_rival() -> None:
            published.extend(rival.run(prompt) for prompt in prompts)

        slow = seconds(run_rival) / few
        exact = self._marginals(self.explore(few, few, 0.001))
        theirs = np.array([[scores[s] for s in spellings] for scores in published])
        their_error = float(np.abs(theirs - exact).max())
        widest, our_error = 0.01, 0.0
        for tolerance in TOLERANCES:
            our_error = float(
                np.abs(self._marginals(self.explore(few, few, tolerance)) - exact).max()
            )
            if our_error <= their_error:
                widest = tolerance
                break
        found: dict[str, Any] = {
            "published_seconds_per_record": slow,
            "published_passes_per_record": rival.passes / few,
            "published_largest_error": their_error,
            "published_largest_score": float(theirs.max()),
            "tolerance": widest,
            "our_largest_error": our_error,
        }
        for name, tolerance in (("at_equal_error", widest), ("at_0.01", 0.01)):
            alone = seconds(lambda t=tolerance: self.explore(few, 1, t), 3) / few
            batch = seconds(lambda t=tolerance: self.explore(32, 16, t)) / 32
            found[f"ratio_alone_{name}"] = slow / alone
            found[f"ratio_batch16_{name}"] = slow / batch
        return found

    def _marginals(self, explored: list[Any]) -> Any:
        from labelmass.estimators.anyplace import any_place

        return np.array([any_place(one.tree).p for one in explored])

    def one_slot(self) -> dict[str, Any]:
        prompt = self.prompts(1)[0]
        spell = self.boundary.start(self.records[0]).grammar
        paths = spell.spell(b"", spell.start)

        @torch.inference_mode()
        def naive() -> None:
            for path in paths.values():
                self.network(
                    input_ids=torch.tensor([prompt + path]),
                    use_cache=False,
                    logits_to_keep=len(path) + 1,
                )

        slow = seconds(naive)
        shared = self.shared()
        cold = seconds(lambda: self._trie([prompt], 0), 3)
        self.prefill([prompt], 1, shared)
        cached = seconds(lambda: self._trie([prompt], shared), 5)
        prompts = self.prompts(32)
        pairs: dict[str, list[float]] = {"cold": [], "cached": []}
        for _ in range(1 if self.quick else 2):
            for name, length, some in (("cold", 0, prompts[:16]), ("cached", shared, prompts)):
                self.prefill(some[:1], 1, length)
                plain = seconds(lambda s=some, n=length: self.prefill(s, 16, n))
                label_tries = seconds(lambda s=some, n=length: self._trie(s, n))
                pairs[name].append(plain / label_tries)
        return {
            "passes_per_label_over_trie_cold": slow / cold,
            "passes_per_label_over_trie_cached": slow / cached,
            "trie_over_prefill_batch16_cold": statistics.median(pairs["cold"]),
            "trie_over_prefill_batch16_cached": statistics.median(pairs["cached"]),
            "trie_nodes": len({tuple(p[: i + 1]) for p in paths.values() for i in range(len(p))}),
        }

    def _trie(self, prompts: list[list[int]], shared: int) -> None:
        """The label trie of the first slot for prompts, 16 at a time, in the prompt's own pass."""
        from labelmass.answers.search import Search

        for first in range(0, len(prompts), 16):
            some = prompts[first : first + 16]
            handles = self.model.open(some, shared)
            grammar = self.boundary.start(self.records[0]).grammar
            requirements = Requirements(tree=False, label_tries=1)
            searches = [Search(grammar, self.task.label_names, None, requirements) for _ in some]
            asked = [one.queries(handle) for one, handle in zip(searches, handles, strict=True)]
            rows = iter(self.model.rows([query for queries in asked for query in queries]))
            for search, queries in zip(searches, asked, strict=True):
                search.tell([next(rows) for _ in queries])
            for handle in handles:
                self.model.close(handle)

    def against_prefill(self) -> dict[str, Any]:
        count = 32 if self.quick else 64
        prompts = self.prompts(count)
        shared = self.shared()
        self.prefill(prompts[:1], 1, shared)
        found: dict[str, Any] = {}
        for tolerance in (0.1, 0.01):
            explored = self.explore(count, 16, tolerance)
            suffix = sum(one.cost.prompt_tokens for one in explored)
            nodes = sum(one.cost.tree_tokens for one in explored)
            ratios = []
            for _ in range(2):
                plain = seconds(lambda: self.prefill(prompts, 16, shared))
                whole = seconds(lambda t=tolerance: self.explore(count, 16, t))
                ratios.append(plain / whole * (suffix + nodes) / suffix)
            found[f"share_of_ideal_at_{tolerance}"] = statistics.median(ratios)
            found[f"nodes_per_record_at_{tolerance}"] = nodes / count
            found[f"prompt_tokens_per_record_at_{tolerance}"] = suffix / count
        return found


def memory() -> dict[str, Any]:
    """Growth of the process over 10,000 records of a scripted model."""
    from labelmass.lm.scripted import ScriptedLanguageModel

    task = Task.from_toml('name="m"\nlabels=["a","b"]\ninstruction="?"\nformat="comma"\nchat=false')
    model = ScriptedLanguageModel(
        lambda prompt, path: {"a": 0.5, "b": 0.5} if not path else {"\n\n": 1.0},
        ["a", "b", "\n\n"],
    )
    plan, seen = Plan(task), {}
    items = ((i, Record(i, text=f"text {i}")) for i in range(1, 10_001))
    for number, _ in enumerate(Scorer.of_plan(plan, model).run_in_order(items), start=1):
        if number in (1_000, 10_000):
            seen[number] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"growth_mib_from_1000_to_10000_records": seen[10_000] - seen[1_000]}


def starting() -> dict[str, Any]:
    """Seconds to the help text, and until the embedded model is loaded."""
    program = [sys.executable, "-m", "labelmass"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    helped = seconds(lambda: subprocess.run([*program, "--help"], check=True, **quiet), 5)
    return {"help_seconds": helped, "start_seconds": seconds(_load_elsewhere, 3)}


def _load_elsewhere() -> None:
    loading = "import labelmass; labelmass.load(); print('ready', flush=True)"
    with subprocess.Popen([sys.executable, "-c", loading], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=Path, default=SHARED if SHARED.exists() else OWN)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    found: dict[str, Any] = {
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "records": options.records.name,
    }
    found |= memory() | starting()
    bench = Bench(options.records, options.quick)
    for part in (bench.one_slot, bench.against_prefill, bench.against_published):
        found |= part()
        options.out.write_text(json.dumps(found, indent=1) + "\n")
        print(f"done: {part.__name__}", file=sys.stderr)
    for key, value in found.items():
        print(f"{key:<48}{value:.3f}" if isinstance(value, float) else f"{key:<48}{value}")


if __name__ == "__main__":
    main()
