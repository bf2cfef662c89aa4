"""The training loop: AdamW on batches of answers, with checkpoints it goes on from bit for bit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from labelmass.errors import LabelMassError
from labelmass.lm.base import Tokenizer
from labelmass.task import Record
from labelmass.training import checkpoint
from labelmass.training.batches import Batch, collate, deal
from labelmass.training.examples import Example, Examples
from labelmass.training.loss import answer_nll
from labelmass.training.progress import Progress
from labelmass.training.settings import Settings
from labelmass.training.validation import Validation

CHECKPOINT, BEST = "checkpoint.safetensors", "best.safetensors"

Pair = tuple[Record, Example]


class Loop:
    """Trains what is trainable in a network.

    pairs: what is learnt. weights: of each of them, 1 on average. folder: of the checkpoints.
    save_every: steps from one checkpoint to the next; there is one after every epoch as well.
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Tokenizer,
        examples: Examples,
        pairs: Sequence[Pair],
        weights: Sequence[float],
        validation: Validation | None,
        settings: Settings,
        folder: Path,
        *,
        save_every: int = 50,
    ) -> None:
        self.network, self.tokenizer, self.settings = network, tokenizer, settings
        self.progress = Progress()
        self._examples, self._pairs, self._weights = examples, pairs, weights
        self._validation, self._folder, self._save_every = validation, folder, save_every
        self._device: Any = network.get_input_embeddings().weight.device
        self.trained: dict[str, torch.nn.Parameter] = {
            name: weight for name, weight in network.named_parameters() if weight.requires_grad
        }
        assert settings.learning_rate is not None
        self._optimizer = torch.optim.AdamW(
            self.trained.values(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self._length = 1.0
        self.steps = settings.epochs * -(-len(pairs) // settings.batch_size)
        if (folder / CHECKPOINT).is_file():
            self._restore()

    def run(
        self,
        stop: Callable[[], bool],
        watch: Callable[[Progress, str], None],
    ) -> bool:
        """Train until it is over, leaving the best weights in the network; False if stopped.

        stop: asked between steps; a checkpoint is left then. watch: gets where the run stands after
        every step, and what it is doing.
        """
        settings, progress = self.settings, self.progress
        while not progress.is_over(settings.epochs, settings.patience):
            answers, batches = self._epoch()
            for number in range(progress.batch, len(batches)):
                if stop():
                    self.save()
                    return False
                began = time.perf_counter()
                self._step(self._batch(batches[number], answers))
                spent = time.perf_counter() - began
                progress.seconds += spent
                progress.spent += spent
                progress.batch = number + 1
                if progress.step % self._save_every == 0:
                    self.save()
                watch(progress, "training")
            self.save()
            if not self._end_epoch(stop, watch):
                return False
        self._take_best()
        return True

    def save(self) -> None:
        """A checkpoint of all that the next step depends on."""
        tensors = self._weights_now()
        for name, weight in self.trained.items():
            for key, value in self._optimizer.state[weight].items():
                tensors[f"{key}.{name}"] = value
        tensors["rng.cpu"] = torch.get_rng_state()
        if self._device.type == "cuda":
            tensors["rng.cuda"] = torch.cuda.get_rng_state(self._device)
        checkpoint.save(self._folder / CHECKPOINT, tensors, self.progress.to_dict())

    def forget(self) -> None:
        """Delete the checkpoints, once the model is saved."""
        for name in (CHECKPOINT, BEST):
            (self._folder / name).unlink(missing_ok=True)

    def _restore(self) -> None:
        tensors, facts = checkpoint.load(self._folder / CHECKPOINT)
        self.progress = Progress.from_dict(facts)
        torch.set_rng_state(tensors.pop("rng.cpu"))
        if "rng.cuda" in tensors:
            torch.cuda.set_rng_state(tensors.pop("rng.cuda"), self._device)
        self._put(tensors)
        for place, value in tensors.items():
            key, name = place.split(".", 1)
            if key != "weight":
                weight = self.trained[name]
                where = value if key == "step" else value.to(weight.device)
                self._optimizer.state[weight][key] = where

    def _weights_now(self) -> dict[str, torch.Tensor]:
        return {f"weight.{name}": weight for name, weight in self.trained.items()}

    def _put(self, tensors: dict[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, weight in self.trained.items():
                weight.copy_(tensors[f"weight.{name}"])

    def _epoch(self) -> tuple[list[tuple[int, ...]], list[list[int]]]:
        """The answers of this epoch, and its batches.

        The loss is divided by the answers' mean length, the same for all batches, so that no answer
        weighs more for its company and clipping means the same for tasks of long answers.
        """
        epoch, settings = self.progress.epoch, self.settings
        answers = [self._examples.answer(*pair, epoch) for pair in self._pairs]
        lengths = [
            len(example.prompt) + len(answer)
            for (_, example), answer in zip(self._pairs, answers, strict=True)
        ]
        self._length = sum(map(len, answers)) / len(answers)
        return answers, deal(lengths, settings.batch_size, settings.seed, epoch)

    def _batch(self, members: Sequence[int], answers: Sequence[tuple[int, ...]]) -> Batch:
        chosen = [(self._pairs[index][1].prompt, answers[index]) for index in members]
        return collate(chosen, [self._weights[index] for index in members])

    def _step(self, batch: Batch) -> None:
        progress, optimizer = self.progress, self._optimizer
        for group in optimizer.param_groups:
            group["lr"] = self.settings.learning_rate_at(progress.step, self.steps)
        self.network.train()
        with self._precision():
            losses = answer_nll(self.network, batch)
        loss = (losses * batch.weights.to(losses.device)).mean() / self._length
        result = losses.detach()
        if not bool(torch.isfinite(loss)):
            raise LabelMassError(
                f"the loss of step {progress.step + 1} is {loss.item()}: lower "
                "--learning-rate, or train in float32"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained.values(), self.settings.clip)
        optimizer.step()
        progress.step += 1
        progress.losses.append(round(float(result.mean()), 6))
        progress.records += len(result)
        progress.total += float(result.sum())
        progress.tokens += batch.tokens
        progress.answer_tokens += batch.answer_tokens

    def _precision(self) -> AbstractContextManager[Any]:
        if not self.settings.autocast:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=torch.bfloat16)

    def _end_epoch(self, stop: Callable[[], bool], watch: Callable[[Progress, str], None]) -> bool:
        progress, result = self.progress, None
        if self._validation is not None:
            began = time.perf_counter()

            def told(done: int, of: int) -> None:
                watch(progress, f"validation {done}/{of}")

            result = self._validation.measure(self.network, self.tokenizer, stop, told)
            if result is None:
                return False
            progress.validation_seconds += time.perf_counter() - began
        progress.end_epoch(result)
        if progress.best == progress.epoch - 1:
            checkpoint.save(self._folder / BEST, self._weights_now(), {"epoch": progress.best})
        self.save()
        watch(progress, "training")
        return True

    def _take_best(self) -> None:
        self._put(checkpoint.load(self._folder / BEST)[0])
        self.network.eval()
