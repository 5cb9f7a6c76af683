"""The lecture's model beside the lecture's own loop, on one device and the same texts."""

from dataclasses import dataclass
from dataclasses import fields as fields_of
from itertools import islice

import torch
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader

from tests.benchmarks.lecture import LSTMModel, padded, train_epoch
from tests.gpu.setting import WORDS, Figures, Setting, seconds_of, trainer_of
from trainables.core.batching import Batch, Rows, shuffled_batches
from trainables.core.device import prepare_device
from trainables.core.precision import precisions
from trainables.core.randomness import epoch_generator
from trainables.core.trainer import Trainer
from trainables.data.text.reader import TextReader

_TEXTS, _STEPS = 20_000, 20


def measure(setting: Setting) -> Figures:
    """Return seconds of an epoch of both, and where ours spends them."""
    device = prepare_device(setting.device, 1)
    figures: Figures = {}
    for batch in (8,) if setting.toy else (128, 512):
        for precision in precisions(device):
            figures |= _ours(setting, batch, precision)
        figures |= _rounded(setting, batch)
        figures[f"B={batch} lecture's loop epoch_s"] = round(_lectures_epoch(setting, batch), 3)
    return figures


def _ours(setting: Setting, batch: int, precision: str) -> Figures:
    part = setting.texts(_TEXTS)
    trainer = trainer_of(setting, part, precision, batch_size=batch)
    trainer.train_epoch()
    epoch = seconds_of(trainer.train_epoch, setting.device)
    tokens = int(trainer.train.lengths_N.sum())
    evaluating = seconds_of(lambda: trainer.evaluate(trainer.train), setting.device)
    snapshot = seconds_of(trainer.snapshot, setting.device)
    path = setting.out / "checkpoint.safetensors"
    saving = seconds_of(lambda: trainer.save(path), setting.device)
    path.unlink()
    host, device = _steps(trainer, setting)
    name = f"B={batch} {precision}"
    return {
        f"{name} epoch_s": round(epoch, 3),
        f"{name} tokens_per_s": round(tokens / epoch),
        f"{name} evaluate_s": round(evaluating, 3),
        f"{name} snapshot_ms": round(1e3 * snapshot, 2),
        f"{name} save_ms": round(1e3 * saving, 1),
        f"{name} host_ms_per_step": round(host, 3),
        f"{name} device_ms_per_step": round(device, 3),
        f"{name} launches_per_step": _launches(trainer, setting),
    }


@dataclass(frozen=True)
class _RoundedReader(TextReader):
    """Pads each batch to a multiple of 16 tokens, so that a GPU meets few different shapes."""

    def read(self, rows: Rows) -> Batch:
        batch = super().read(rows)
        ids_BT, lengths_B = batch.inputs
        padded_BT = functional.pad(ids_BT, (0, -ids_BT.shape[1] % 16))
        return Batch((padded_BT, lengths_B), batch.targets_B)


def _rounded(setting: Setting, batch: int) -> Figures:
    """Return what rounding of widths would change, and how many widths there are without it."""
    trainer = trainer_of(setting, setting.texts(_TEXTS), batch_size=batch)
    widths = {int(trainer.train.lengths_N[rows].max()) for rows in _batches(trainer)}
    fields = {field.name: getattr(trainer.train, field.name) for field in fields_of(TextReader)}
    trainer.train = _RoundedReader(**fields)
    trainer.train_epoch()
    return {
        f"B={batch} different widths": len(widths),
        f"B={batch} float32 widths rounded epoch_s": round(
            seconds_of(trainer.train_epoch, setting.device), 3
        ),
    }


def _steps(trainer: Trainer, setting: Setting) -> tuple[float, float]:
    """Return milliseconds of a step until the host has given it out, and until it is done."""

    def give_out() -> None:
        for rows in islice(_batches(trainer), _STEPS):
            trainer._train_step(trainer.train, rows)

    steps = min(_STEPS, len(_batches(trainer)))
    done = seconds_of(give_out, setting.device)
    given_out = seconds_of(give_out, "cpu")  # nobody waits for the device
    return 1e3 * given_out / steps, 1e3 * done / steps


def _batches(trainer: Trainer) -> list[Rows]:
    batch = trainer.hyperparameters.batch_size
    return shuffled_batches(trainer.train.lengths_N, batch, epoch_generator(0, 0))


def _launches(trainer: Trainer, setting: Setting) -> int:
    if setting.device == "cpu":
        return 0
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as seen:
        for rows in islice(_batches(trainer), _STEPS):
            trainer._train_step(trainer.train, rows)
        torch.cuda.synchronize()
    launches = sum(e.count for e in seen.key_averages() if "LaunchKernel" in e.key)
    return round(launches / _STEPS)


def _lectures_epoch(setting: Setting, batch: int) -> float:
    model = LSTMModel(WORDS, 64, 64, layers=1, dropout=0.0).to(setting.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    texts = padded(setting.texts(_TEXTS))
    loader = DataLoader(texts, batch_size=batch, shuffle=True)
    for _ in islice(train_epoch(model, loader, optimizer, setting.device), 3):
        pass
    return list(train_epoch(model, loader, optimizer, setting.device))[-1]
