"""The one training loop: epochs, evaluation, optimiser, schedule, clipping, checkpoints.

Shapes: B examples of a micro-batch, N examples of a part of the data, C outputs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from trainables.core.allocator import trim_above_limit
from trainables.core.averaging import average_of
from trainables.core.batching import Reader, Rows, micro_batches, shuffled_batches
from trainables.core.checkpoint import Snapshot, read_checkpoint
from trainables.core.hyperparameters import Hyperparameters
from trainables.core.memory import ON_CPU, ON_GPU, micro_batch_examples, micro_batch_steps
from trainables.core.optimisation import build_optimizer, build_schedule, freeze_or_release
from trainables.core.precision import computing_in
from trainables.core.randomness import (
    epoch_generator,
    random_state,
    restore_random_state,
    seed_everything,
)
from trainables.core.task import Task
from trainables.errors import CheckpointError

CPU = torch.device("cpu")


@dataclass(frozen=True)
class TrainerSettings:
    """Settings of one training run that are not hyperparameters.

    Attributes:
        outputs: numbers that the model returns for an example, by which memory is bounded.
    """

    seed: int
    max_epochs: int
    device: torch.device = CPU
    precision: str = "float32"
    outputs: int = 1


class Trainer:
    """Trains one configuration, an epoch at a time, and can be stored after each epoch.

    The same seed, data and settings give the same weights bit for bit, on one kind of processor
    with one number of threads. To store and restore the run in between changes nothing.
    """

    def __init__(
        self,
        task: Task,
        hyperparameters: Hyperparameters,
        train: Reader,
        settings: TrainerSettings,
    ) -> None:
        seed_everything(settings.seed)
        self.task, self.hyperparameters, self.settings = task, hyperparameters, settings
        self.train = train
        self.model = task.build().to(settings.device)
        self.average = average_of(self.model, hyperparameters.ema_decay)
        self.optimizer = build_optimizer(self.model, hyperparameters)
        # Rounded up: an epoch's last batch may be smaller.
        steps = -(-len(train) // hyperparameters.batch_size) * settings.max_epochs
        self.schedule = build_schedule(self.optimizer, hyperparameters.schedule, steps)
        budget = ON_CPU if settings.device.type == "cpu" else ON_GPU
        counted = hyperparameters.activation_bytes_per_step()
        self.micro_batch_steps = micro_batch_steps(counted, budget)
        self.micro_batch_examples = micro_batch_examples(settings.outputs, budget)
        self.epoch = 0
        self._norms: list[Tensor] = []

    def train_epoch(self) -> float:
        """Train on every example once; return the mean training loss."""
        self.model.train()
        freeze_or_release(self.model, self.hyperparameters, self.epoch)
        rng = epoch_generator(self.settings.seed, self.epoch)
        reader = self.train.for_training(self.hyperparameters, rng)
        # The sum stays on the device: to read it at every step would wait for the GPU.
        total = torch.zeros((), dtype=torch.float64, device=self.settings.device)
        self._norms.clear()
        for rows in shuffled_batches(reader.lengths_N, self.hyperparameters.batch_size, rng):
            total += self._train_step(reader, rows)
        self.epoch += 1
        return total.item() / len(reader)

    def vitals(self) -> dict[str, float]:
        """Return the learning rate that the last epoch ended with, and the mean of the gradients'
        norms, before they were clipped, where they have one."""
        found = {"learning_rate": float(self.optimizer.param_groups[0]["lr"])}
        if self._norms:
            found["gradient_norm"] = torch.stack(self._norms).double().mean().item()
        return found

    def _train_step(self, reader: Reader, rows: Rows) -> Tensor:
        """Make one optimiser step on a batch; return the sum of its losses.

        The gradient is that of the whole batch, however it is split into micro-batches.
        """
        total = torch.zeros((), dtype=torch.float64, device=self.settings.device)
        for _, outputs_BC, targets_B in self._outputs(self.model, reader, rows):
            losses_B = self.task.losses(outputs_BC, targets_B)
            (losses_B.sum() / len(rows)).backward()  # type: ignore[no-untyped-call]
            total += losses_B.detach().sum()
        norm = self._gradient_norm()
        if norm is not None:
            self._norms.append(norm)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.follow(self.model)
        return total

    def _gradient_norm(self) -> Tensor | None:
        """Return the norm of the whole gradient, which is clipped behind that if it is to be; None
        where a part of it is sparse, as a task of one's own may have it."""
        if self.hyperparameters.clip_norm > 0:
            parameters = self.model.parameters()
            return nn.utils.clip_grad_norm_(parameters, self.hyperparameters.clip_norm)
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        is_sparse = any(gradient.layout != torch.strided for gradient in gradients)
        return None if is_sparse else nn.utils.get_total_norm(gradients)

    def _outputs(
        self, model: nn.Module, reader: Reader, rows: Rows
    ) -> Iterator[tuple[Rows, Tensor, Tensor]]:
        """Yield the rows, outputs, in float32, and targets of each micro-batch of these rows."""
        most = self.micro_batch_steps, self.micro_batch_examples
        for some in micro_batches(rows, reader.lengths_N, *most):
            batch = reader.read(some).to(self.settings.device)
            with computing_in(self.settings.precision, self.settings.device):
                outputs_BC = model(*batch.inputs)
            yield some, outputs_BC.float(), batch.targets_B
            trim_above_limit()  # by now the caller's backward pass has freed the activations

    def evaluate(self, reader: Reader) -> dict[str, float]:
        """Return the task's metrics over a whole part, with dropout off."""
        outputs_NC, targets_N = self.predict(reader)
        return self.task.metrics(outputs_NC, targets_N)

    def predict(self, reader: Reader) -> tuple[Tensor, Tensor]:
        """Return outputs and targets of a whole part, in the order of its examples.

        The averaged weights compute them, if the hyperparameters ask for an average.
        """
        model = self.model if self.average is None else self.average
        rows, outputs, targets = list[Rows](), list[Tensor](), list[Tensor]()
        every = np.arange(len(reader))
        with _evaluating(model):
            for some, outputs_BC, targets_B in self._outputs(model, reader, every):
                rows.append(some)
                outputs.append(outputs_BC)
                targets.append(targets_B)
        # Micro-batches are of near-equal length; this puts their examples back in place.
        places_N = torch.from_numpy(np.argsort(np.concatenate(rows)))
        return _in_place(outputs, places_N), _in_place(targets, places_N)

    def save(self, path: Path) -> str:
        """Store everything that the next epoch depends on; return the file's SHA-256.

        Raises:
            OSError: the file cannot be written; an older file of that name is untouched.
        """
        return self.snapshot().write(path)

    def snapshot(self) -> Snapshot:
        """Return everything that the next epoch depends on.

        On a GPU it is a copy, so that training may go on while it is written. On a CPU it is the
        trainer's own memory, to be written before the next step.
        """
        tensors, generators = random_state(self.settings.device)
        tensors |= {f"model.{k}": v for k, v in self.model.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        optimizer = self.optimizer.state_dict()
        for index, slots in optimizer["state"].items():
            tensors |= {f"optimizer.{index}.{name}": slot for name, slot in slots.items()}
        state = {
            "epoch": self.epoch,
            "hyperparameters": self.hyperparameters.model_dump(),
            "param_groups": optimizer["param_groups"],
            "schedule": _json_state(self.schedule.state_dict()),
            "rng": generators,
        }
        return Snapshot.of(tensors, state)

    def load(self, path: Path, digest: str | None = None) -> None:
        """Continue from a stored epoch.

        Raises:
            CheckpointError: the file is damaged, is no checkpoint, or belongs to another
                configuration. The trainer must not be used further.
            torch.OutOfMemoryError, torch.AcceleratorError: the GPU's trouble, not the file's.
        """
        tensors, state = read_checkpoint(path, digest)
        try:
            if not _are_same(state["hyperparameters"], self.hyperparameters):
                raise CheckpointError(f"{path} belongs to another configuration")
            self.model.load_state_dict(_strip_prefix("model.", tensors))
            if self.average is not None:
                self.average.load_state_dict(_strip_prefix("average.", tensors))
            self.optimizer.load_state_dict(_optimizer_state(tensors, state["param_groups"]))
            self.schedule.load_state_dict(state["schedule"])
            restore_random_state(tensors, state["rng"], self.settings.device)
            self.epoch = int(state["epoch"])
        except (torch.OutOfMemoryError, torch.AcceleratorError):  # RuntimeErrors both
            raise
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise CheckpointError(f"{path} does not fit this model: {error}") from error


def _are_same(stored: Any, hyperparameters: Hyperparameters) -> bool:
    """Whether stored hyperparameters are these; one that is not stored is as by default."""
    try:
        return type(hyperparameters).model_validate(stored) == hyperparameters
    except ValidationError:
        return False


def _in_place(parts: list[Tensor], places_N: Tensor) -> Tensor:
    """Join tensors of examples and put them at their places; empty the list, for many classes take
    much memory."""
    joined = torch.cat(parts).cpu()
    parts.clear()
    return joined[places_N]


def _json_state(schedule: dict[str, Any]) -> dict[str, Any]:
    """Return a schedule's state as JSON, without its functions: its name gives them again."""
    return {k: v for k, v in schedule.items() if k not in ("lr_lambdas", "base_lrs")} | {
        "lr_lambdas": [None] * len(schedule["lr_lambdas"]),
        "base_lrs": list(schedule["base_lrs"]),
    }


def _strip_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _optimizer_state(tensors: dict[str, Tensor], groups: list[Any]) -> dict[str, Any]:
    """Build an optimiser's state from the tensors named ``optimizer.INDEX.SLOT``."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _strip_prefix("optimizer.", tensors).items():
        index, _, slot = name.partition(".")
        state.setdefault(int(index), {})[slot] = tensor
    return {"state": state, "param_groups": groups}


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    model.eval()
    with torch.inference_mode():
        yield
    model.train()
