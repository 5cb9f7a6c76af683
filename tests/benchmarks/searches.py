"""Real searches to be measured from outside: started by the command, their processes watched."""

import csv
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import tomli_w

#: What Ray calls a process of trials, while it works and between.
TRIALS = ("ray::ResourceTrainable", "ray::RecurrentTrial")


@dataclass(frozen=True)
class Sample:
    """The driver at one moment: seconds since its start, ended trials, CPU seconds, bytes."""

    elapsed: float
    ended: int
    cpu: float
    resident: int


class Search:
    """A search under way in ``folder``."""

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        self.journal = folder / "results" / name / "journal.jsonl"
        command = [sys.executable, "-m", "search", "run", *arguments, "--name", name]
        with (folder / f"{name}.log").open("w") as log:
            self._process = subprocess.Popen(
                [*command, "--results-dir", str(folder / "results")],
                stdout=log,
                stderr=log,
            )
        self._log = folder / f"{name}.log"
        self._started = time.monotonic()
        self.driver = psutil.Process(self._process.pid)

    def samples(self, seconds: float = 0.5) -> Iterator[Sample]:
        """Looks at the driver again and again until it has ended.

        Raises:
            RuntimeError: the search failed.
        """
        try:
            yield from self._samples(seconds)
        finally:  # whoever looks may fail
            self._process.terminate()
            self._process.wait()
        if self._process.returncode:
            raise RuntimeError(self._log.read_text()[-2000:])

    def _samples(self, seconds: float) -> Iterator[Sample]:
        ended, read = 0, 0
        while self._process.poll() is None:
            time.sleep(seconds)
            if self.journal.exists():
                with self.journal.open("rb") as file:
                    file.seek(read)
                    lines = file.read()
                whole = lines[: lines.rfind(b"\n") + 1]
                ended, read = ended + whole.count(b'"event":"end"'), read + len(whole)
            with suppress(psutil.NoSuchProcess):
                spent = self.driver.cpu_times()
                resident = self.driver.memory_info().rss
                if resident:  # else it has ended a moment ago
                    elapsed = time.monotonic() - self._started
                    yield Sample(elapsed, ended, spent.user + spent.system, resident)

    def trial_processes(self) -> list[psutil.Process]:
        """Processes that train now or have done so."""
        found = []
        for process in self.driver.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if " ".join(process.cmdline()).startswith(TRIALS):
                    found.append(process)
        return found

    def lines(self) -> list[dict[str, Any]]:
        """The journal's lines, as plain objects."""
        return [json.loads(line) for line in self.journal.read_text().splitlines()]


def write_idle_study(folder: Path) -> Path:
    """A study whose trials have next to nothing to do: 40 short texts, one unit."""
    rng = random.Random(0)
    with (folder / "texts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for index in range(40):
            words = rng.choices(["good", "fine", "warm", "bad", "dull", "cold"], k=3)
            writer.writerow([f"{' '.join(words)} {index}", "ab"[index % 2]])
    tables = {
        "name": "idle",
        "data": {"source": str(folder / "texts.csv"), "max_tokens": 4},
        "fixed": {"hidden_size": 1, "embedding_dim": 1},
        "space": {
            "cell": ["lstm", "gru", "rnn"],
            "batch_size": [16, 32],
            "dropout": {"low": 0.0, "high": 0.5},
            "word_dropout": {"low": 0.0, "high": 0.5},
            "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
            "weight_decay": {"low": 1e-6, "high": 1e-2, "log": True},
        },
        "stopping": {"max_epochs": 3, "grace_epochs": 3},
    }
    path = folder / "idle.toml"
    path.write_text(tomli_w.dumps(tables))
    return path
