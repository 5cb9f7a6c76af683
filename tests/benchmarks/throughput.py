"""Reviews a second and core: our trainer beside the lecture's loop, on the same reviews.

``python tests/benchmarks/throughput.py [--quick] [--threads 2] [--device cuda] [--precision X]``.
Each side runs in a process of its own, for the allocator is set for a whole process; the sides take
turns. The targets are those of one thread of a CPU. Ours computes in what a study would.

Shapes: B texts, T tokens, C outputs.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

import torch
from lecture import TOKENS, LSTMModel, padded, train_epoch
from torch import nn
from torch.utils.data import DataLoader
from verdict import Figure, conclude, spread

import trainables.networks.torch_layers
from trainables.attempts.probe import choose_precision
from trainables.core.device import prepare_device
from trainables.core.task import TaskContext
from trainables.core.trainer import Trainer, TrainerSettings
from trainables.data.corpus import Corpus, prepare
from trainables.data.part import Part
from trainables.data.spec import DataSpec
from trainables.data.text.reader import TextReader
from trainables.networks.hyperparameters import RecurrentClassifierHyperparameters
from trainables.storage import default_cache
from trainables.tasks.registry import find_task

BATCH = 128
SIZES = {64: ">=6", 128: ">=4"}
#: Share of the matrix-product rate, at 128 units.
RATE = ">=0.55"


@dataclass(frozen=True)
class Case:
    """What is timed: units of the model, reviews, what computes, and in what we do."""

    size: int
    count: int
    device: str
    threads: int
    precision: str


def reviews(count: int) -> tuple[Corpus, Part]:
    """The first reviews of the training part."""
    corpus = prepare(DataSpec(source="imdb", vocabulary=20000), default_cache())
    part = corpus.part("train")
    return corpus, Part(part.ids, part.offsets[: count + 1], part.labels[:count])


def our_trainer(case: Case, corpus: Corpus, part: Part, device: torch.device) -> Trainer:
    h = RecurrentClassifierHyperparameters(
        embedding_dim=case.size,
        hidden_size=case.size,
        batch_size=BATCH,
        optimizer="adam",
        learning_rate=1e-3,
        clip_norm=0.0,
    )
    ends = TaskContext(corpus.vocabulary, corpus.classes, part.labels)
    task = find_task("text-classification").load()(h, ends)
    reader = TextReader(part, TOKENS, "end").placed(device)
    settings = TrainerSettings(0, 3, device, case.precision)
    return Trainer(task, h, reader, settings)


def time_ours(case: Case) -> float:
    """Seconds of the second epoch."""
    corpus, part = reviews(case.count)
    device = prepare_device(case.device, case.threads)
    trainer = our_trainer(case, corpus, part, device)
    trainer.train_epoch()
    started = time.perf_counter()
    trainer.train_epoch()
    return time.perf_counter() - started


def time_torch(case: Case) -> float:
    """Our trainer with torch's own recurrent layers, in the same precision."""
    trainables.networks.torch_layers.recur = lambda cell, x: cell(x.dense())[0]
    return time_ours(case)


def time_lecture(case: Case) -> float:
    """Seconds of one epoch, after two batches to warm up."""
    torch.set_num_threads(case.threads)
    corpus, part = reviews(case.count)
    model = LSTMModel(corpus.vocabulary, case.size, case.size, layers=1, dropout=0.0)
    model.to(case.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(padded(part), batch_size=BATCH, shuffle=True)
    for _, _ in zip(range(2), train_epoch(model, loader, optimizer, case.device), strict=False):
        pass
    return list(train_epoch(model, loader, optimizer, case.device))[-1]


SIDES = {"ours": time_ours, "torch": time_torch, "lecture": time_lecture}


def product_rate(case: Case) -> float:
    """Floating-point operations a second of a product of 1024 by 1024 matrices in the precision
    that our trainer computes in."""
    torch.set_num_threads(case.threads)
    side, repeats = 1024, 20
    kind = getattr(torch, case.precision)
    a, b = (torch.randn(side, side, device=case.device).to(kind) for _ in range(2))
    for _ in range(3):
        (a @ b).sum().item()
    started = time.perf_counter()
    for _ in range(repeats):
        c = a @ b
    c.sum().item()
    return repeats * 2 * side**3 / (time.perf_counter() - started)


def operations_per_token(size: int) -> float:
    """Of a forward and a backward pass of one LSTM layer, embedding as wide as its state, as a
    padded loop does them. Ours saves the input's half for a word that stands in the batch twice,
    so the share below may exceed what its products alone would reach."""
    return 3 * 2 * 4 * size * (size + size)


def differences(case: Case) -> tuple[float, float]:
    """Largest differences in float32 of logits and of gradients (as a share of the largest
    gradient) from torch's own LSTM on texts padded behind to 500."""
    corpus, part = reviews(32)
    device = torch.device(case.device)
    trainer = our_trainer(case, corpus, part, device)
    batch = trainer.train.read(torch.arange(32).numpy()).to(device)
    model = trainer.model.train()
    found = []
    for own in (True, False):
        model.zero_grad()
        if own:
            logits_BC = model(batch.inputs[0], batch.inputs[1])
        else:
            ids_BT = nn.functional.pad(batch.inputs[0], (0, TOKENS - batch.inputs[0].shape[1]))
            y_BTH = model.encoder.layers[0].forwards(model.embedding(ids_BT))[0]
            last_B = torch.arange(32, device=ids_BT.device)
            logits_BC = model.head(y_BTH[last_B, batch.inputs[1] - 1])
        trainer.task.losses(logits_BC, batch.targets_B).mean().backward()
        found.append((logits_BC.detach(), [p.grad.clone() for p in model.parameters()]))
    (ours, our_gradients), (theirs, their_gradients) = found
    gradients = max(
        float((a - b).abs().max() / b.abs().max())
        for a, b in zip(our_gradients, their_gradients, strict=True)
    )
    return float((ours - theirs).abs().max()), gradients


def measure(side: str, case: Case) -> float:
    """One side's seconds, in a process of its own."""
    command = [sys.executable, __file__, "--side", side]
    for name, value in asdict(case).items():
        command += [f"--{name}", str(value)]
    return float(json.loads(subprocess.check_output(command, text=True))["seconds"])


def compare(case: Case, repeats: int) -> dict[str, float]:
    """Times all sides in turn and prints what came out; medians."""
    size, count = case.size, case.count
    _, part = reviews(count)
    tokens = int(TextReader(part, TOKENS, "end").lengths_N.sum())
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    rates = []
    for _ in range(repeats):
        rates.append(product_rate(case))
        for side, taken in seconds.items():
            taken.append(measure(side, case))
    ours, torchs, lectures = seconds.values()
    ratios = [b / a for a, b in zip(ours, lectures, strict=True)]
    to_torch = [b / a for a, b in zip(ours, torchs, strict=True)]
    nominal = tokens * operations_per_token(size)
    shares = [nominal / a / rate for a, rate in zip(ours, rates, strict=True)]
    logits, gradients = differences(case)
    print(
        f"{size} units, {case.precision}: ours {spread([count / s for s in ours], 0)} reviews/s "
        f"({tokens / statistics.median(ours):,.0f} tokens/s), the lecture's "
        f"{spread([count / s for s in lectures], 0)}: {spread(ratios)} times as fast; "
        f"{spread(to_torch)} times as fast as with torch's own layer; {spread(shares)} of the "
        f"matrix-product rate ({statistics.median(rates) / 1e9:.0f} GFLOP/s), counted as a padded "
        f"loop would multiply; in float32 logits differ by {logits:.1e}, gradients by "
        f"{gradients:.1e}"
    )
    return {
        "ratio": statistics.median(ratios),
        "ratio_to_torch": statistics.median(to_torch),
        "share": statistics.median(shares),
        "logits": logits,
        "gradients": gradients,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer reviews, judges nothing")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1, help="of the CPU, for each side")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--precision", default="auto", help="of our side, as of a study")
    given = parser.parse_args()
    if given.side:
        case = Case(given.size, given.count, given.device, given.threads, given.precision)
        print(json.dumps({"seconds": SIDES[given.side](case)}))
        return 0
    count, repeats = (512, 1) if given.quick else (2560, 3)
    count *= 4 if given.device == "cuda" else 1
    prepare_device(given.device, given.threads)
    precision = choose_precision(given.precision, given.device)
    figures = {}
    for size, target in SIZES.items():
        found = compare(Case(size, count, given.device, given.threads, precision), repeats)
        figures[f"ratio_{size}"] = Figure(found["ratio"], target)
        figures[f"ratio_to_torchs_layer_{size}"] = Figure(found["ratio_to_torch"])
        figures[f"logits_{size}_1e5"] = Figure(found["logits"] * 1e5, "<=1")
        figures[f"gradients_{size}_1e5"] = Figure(found["gradients"] * 1e5, "<=1")
        figures[f"share_of_product_rate_{size}"] = Figure(
            found["share"], RATE if size == 128 else None
        )
    if given.device == "cuda" or given.threads > 1:
        figures = {name: Figure(figure.value) for name, figure in figures.items()}
    return conclude("throughput", figures, given.quick)


if __name__ == "__main__":
    sys.exit(main())
