"""What every section of the check is given, and what they share.

Shapes: N texts.
"""

import sys
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainables.core.task import TaskContext
from trainables.core.trainer import Trainer, TrainerSettings
from trainables.data.corpus import open_corpus
from trainables.data.part import Part
from trainables.data.text.reader import TextReader
from trainables.networks.hyperparameters import RecurrentClassifierHyperparameters
from trainables.tasks.registry import find_task

WORDS, TOKENS = 20_000, 500

#: The lecture's model, for one size of batches or another.
LECTURES: dict[str, Any] = {
    "embedding_dim": 64,
    "hidden_size": 64,
    "clip_norm": 0.0,
    "optimizer": "adam",
}

#: The folder that ``python -m tests.gpu.check`` is called in.
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Setting:
    """Where a section computes, where its figures go, and the texts that it reads.

    Attributes:
        device: ``cuda``, or ``cpu`` for a look at toy size.
        out: folder of the figures.
        corpus: folder of a prepared corpus; None to make texts up.
        ends: moment, as ``time.time()`` tells it, at which the section is killed; 0 for never.
    """

    device: str
    out: Path
    corpus: Path | None = None
    ends: float = 0.0

    @property
    def toy(self) -> bool:
        """Whether everything is small, because a CPU only shows that the code runs."""
        return self.device == "cpu"

    @property
    def vocabulary(self) -> int:
        """Number of distinct tokens of the texts."""
        return WORDS if self.corpus is None else open_corpus(self.corpus).vocabulary

    def free_bytes(self) -> int:
        """Return the bytes of the GPU that no process holds; 0 at toy size."""
        return 0 if self.toy else torch.cuda.mem_get_info()[0]

    def ending_in(self, seconds: float) -> "Setting":
        """Return the setting of a section that is killed after so many seconds."""
        return replace(self, ends=time.time() + seconds)

    def seconds_left(self, most: float) -> float:
        """Return the seconds until this section is killed, or ``most`` if they are fewer."""
        return min(most, self.ends - time.time()) if self.ends else most

    def command(self, part: str) -> list[str]:
        """Return the command that runs a module of ``sections`` in a process of its own.

        It is called in ``ROOT``. What is a section writes its figures to ``OUT/PART.json``, what is
        a part of one prints them.
        """
        given = ["--here", part, "--device", self.device, "--out", str(self.out)]
        given += ["--corpus", str(self.corpus)] if self.corpus else []
        given += ["--ends", str(self.ends)] if self.ends else []
        return [sys.executable, "-m", "tests.gpu.check", *given]

    def texts(self, count: int) -> Part:
        """Return so many training texts, or as many as there are; 40 at toy size."""
        count = min(count, 40) if self.toy else count
        if self.corpus is None:
            return made_up_texts(count)
        part = open_corpus(self.corpus).part("train")
        return Part(part.ids, part.offsets[: count + 1], part.labels[:count])


@cache  # to draw the words of 20,000 texts takes longer than many a measurement
def made_up_texts(count: int) -> Part:
    """Return texts as long as reviews: 174 tokens in the middle, 233 on average."""
    rng = np.random.default_rng(0)
    lengths = rng.lognormal(np.log(174), 0.76, count).astype(np.int64).clip(10, 2500)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ranks = rng.zipf(1.3, int(offsets[-1])) % (WORDS - 2)  # a few words are most of a text
    labels = rng.integers(0, 2, count)
    ids = (ranks + 2).astype(np.int32)
    ids[offsets[:-1]] = 2 + labels
    return Part(ids, offsets, labels)


def trainer_of(
    setting: Setting, part: Part, precision: str = "float32", epochs: int = 9, **chosen: Any
) -> Trainer:
    """Build a trainer of the lecture's model, or of what is chosen, on the device."""
    h = RecurrentClassifierHyperparameters(**(LECTURES | chosen))
    device = torch.device(setting.device)
    context = TaskContext(setting.vocabulary, ("a", "b"), part.labels)
    task = find_task("text-classification").load()(h, context)
    reader = TextReader(part, TOKENS, "end").placed(device)
    return Trainer(task, h, reader, TrainerSettings(0, epochs, device, precision))
