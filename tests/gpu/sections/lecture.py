"""The lecture's model beside the lecture's own loop, on one device and the same texts."""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import fields as fields_of
from functools import partial
from itertools import islice

import torch
from torch.nn import functional
from torch.utils.data import DataLoader

from tests.benchmarks.lecture import LSTMModel, padded, train_epoch
from tests.gpu.record import Figures, Record
from tests.gpu.sections.attempts import corpus_of, time_attempt
from tests.gpu.sections.profiles import profile_of
from tests.gpu.setting import Setting, trainer_of
from tests.gpu.timing import seconds_of, seconds_to_give_out, synchronise, warm_up
from trainables.core.batching import Batch, Rows, shuffled_batches
from trainables.core.device import prepare_device
from trainables.core.precision import precisions
from trainables.core.randomness import epoch_generator
from trainables.core.trainer import Trainer
from trainables.data.text.reader import TextReader

_TEXTS, _STEPS, _REPEATS = 20_000, 20, 3


def measure(setting: Setting, record: Record) -> None:
    """Take down seconds of an epoch of both and of an attempt's, then where ours spends them.

    All profiles come last: a profiler that has run once may slow down what follows.
    """
    device = prepare_device(setting.device, 1)
    batches = (8,) if setting.toy else (128, 512)
    models = [(batch, precision) for batch in batches for precision in precisions(device)]
    warm_up(setting.device)
    for batch in batches:
        for precision in precisions(device):
            with record.trying(f"B={batch} {precision}"):
                _time(setting, record, batch, precision)
        with record.trying(f"B={batch} widths"):
            record.add(_rounded(setting, batch))
        with record.trying(f"B={batch} lecture's loop"):
            seconds = _lectures_epoch(setting, batch)
            record.add({f"B={batch} lecture's loop epoch_s": round(seconds, 3)})
    with record.trying("attempts"), corpus_of(setting, _TEXTS) as corpus:
        _each(record, models, "attempt", partial(time_attempt, setting, corpus))
    _each(record, models, "profile", partial(_profile, setting))


def _each(
    record: Record,
    models: list[tuple[int, str]],
    what: str,
    figures_of: Callable[[int, str], Figures],
) -> None:
    """Take down the figures of each size of batches and precision."""
    for batch, precision in models:
        name = f"B={batch} {precision}"
        with record.trying(f"{name} {what}"):
            found = figures_of(batch, precision)
            record.add({f"{name} {figure}": value for figure, value in found.items()})


def _time(setting: Setting, record: Record, batch: int, precision: str) -> None:
    trainer = trainer_of(setting, setting.texts(_TEXTS), precision, batch_size=batch)
    name, device = f"B={batch} {precision}", setting.device
    trainer.train_epoch()
    epoch = seconds_of(trainer.train_epoch, device, _REPEATS)
    tokens = int(trainer.train.lengths_N.sum())
    record.add({f"{name} epoch_s": round(epoch, 3), f"{name} tokens_per_s": round(tokens / epoch)})
    evaluating = _warm_seconds(lambda: trainer.evaluate(trainer.train), device)
    record.add({f"{name} evaluate_s": round(evaluating, 3)})
    snapshot = _warm_seconds(trainer.snapshot, device)
    record.add({f"{name} snapshot_ms": round(1e3 * snapshot, 2)})
    path = setting.out / "checkpoint.safetensors"
    saving = _warm_seconds(lambda: trainer.save(path), device)
    path.unlink()
    record.add({f"{name} save_ms": round(1e3 * saving, 1)})
    record.add({f"{name} {figure}": ms for figure, ms in _steps(trainer, setting).items()})


def _warm_seconds(call: Callable[[], object], device: str) -> float:
    """Return the least seconds of three calls after a first one, which sets up what it needs."""
    call()
    return seconds_of(call, device, _REPEATS)


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
    rounded = seconds_of(trainer.train_epoch, setting.device, _REPEATS)
    return {
        f"B={batch} different widths": len(widths),
        f"B={batch} float32 widths rounded epoch_s": round(rounded, 3),
    }


def _steps(trainer: Trainer, setting: Setting) -> Figures:
    """Return milliseconds of a step until the host has given it out, and until it is done; and
    those by which a snapshot holds up the steps behind it."""
    device, batches = setting.device, _batches(trainer)[:_STEPS]

    def give_out() -> None:
        for rows in batches:
            trainer._train_step(trainer.train, rows)

    def behind_a_snapshot() -> None:
        trainer.snapshot()
        give_out()

    done = _warm_seconds(give_out, device)
    given_out = seconds_to_give_out(give_out, device, _REPEATS)
    synchronise(device)
    held_up = _warm_seconds(behind_a_snapshot, device) - done
    return {
        "host_ms_per_step": round(1e3 * given_out / len(batches), 3),
        "wall_ms_per_step": round(1e3 * done / len(batches), 3),
        "snapshot_holds_up_ms": round(1e3 * held_up, 2),
    }


def _batches(trainer: Trainer) -> list[Rows]:
    batch = trainer.hyperparameters.batch_size
    return shuffled_batches(trainer.train.lengths_N, batch, epoch_generator(0, 0))


def _profile(setting: Setting, batch: int, precision: str) -> Figures:
    trainer = trainer_of(setting, setting.texts(_TEXTS), precision, batch_size=batch)
    batches = _batches(trainer)[:_STEPS]

    def step_through() -> None:
        for rows in batches:
            trainer._train_step(trainer.train, rows)
        synchronise(setting.device)

    step_through()
    return profile_of(step_through, len(batches), setting.device)


def _lectures_epoch(setting: Setting, batch: int) -> float:
    model = LSTMModel(setting.vocabulary, 64, 64, layers=1, dropout=0.0).to(setting.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    texts = padded(setting.texts(_TEXTS))
    loader = DataLoader(texts, batch_size=batch, shuffle=True)
    for _ in islice(train_epoch(model, loader, optimizer, setting.device), 3):
        pass
    return list(train_epoch(model, loader, optimizer, setting.device))[-1]
