"""Several trials on one GPU, each a process: taking turns, and under MPS at the same time."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Timer
from typing import Any

from tests.gpu.record import Figures, Record
from tests.gpu.sections.mps import CONTROL, mps
from tests.gpu.setting import ROOT, Setting

#: Variable of the environment with a trial's share of the GPU, and the epochs that it is timed for.
SHARE, EPOCHS = "SEQTUNE_CHECK_SHARE", 3
#: Seconds for each count of processes, those in which a trial that has trained must end, and those
#: that are kept to take down what was found before the section itself is ended.
_SECONDS, _SECONDS_TO_END, _RESERVE = 60.0, 10.0, 5.0

_Trial = subprocess.Popen[str]


@dataclass(frozen=True)
class Way:
    """A way to share the GPU.

    Attributes:
        name: what its figures' names end with, before the figure.
        environment: the trials' environment.
        free_bytes: what was free on the GPU before the first of all trials. Only so does all that
            they take count, for the server of MPS stays from one count to the next.
    """

    name: str
    environment: dict[str, str]
    free_bytes: int


def measure(setting: Setting, record: Record) -> None:
    """Take down trial-epochs a second and memory by number of processes, then under MPS."""
    counts = (1, 2) if setting.toy else (1, 2, 4, 8, 16)
    free_bytes = setting.free_bytes()
    for count in counts:
        _try(setting, record, count, Way("", dict(os.environ), free_bytes))
    if setting.device == "cpu" or shutil.which(CONTROL) is None:
        record.add({"MPS": "not here"})
        return
    with record.trying("MPS"), mps() as environment:
        for count in counts[1:]:
            _try(setting, record, count, Way(" under MPS", environment, free_bytes))


def _try(setting: Setting, record: Record, count: int, way: Way) -> None:
    name = f"{count} processes{way.name}"
    with record.trying(name):
        found = _together(setting, count, way)
        record.add({f"{name} {figure}": value for figure, value in found.items()})


def _together(setting: Setting, count: int, way: Way) -> Figures:
    """Train ``count`` trials at once; all begin when the last is ready.

    Raises:
        RuntimeError: one of them failed, or they took too long.
    """
    with _trials(setting, count, way.environment | {SHARE: str(1 / count)}) as trials:
        for trial in trials:
            if (said := _said(trial)) != "ready\n":
                raise RuntimeError(f"a trial ended before it trained, or took too long: {said}")
        started = time.monotonic()
        for trial in trials:
            assert trial.stdin is not None
            trial.stdin.write("go\n")
            trial.stdin.flush()
        found = [_result(trial) for trial in trials]
        seconds = time.monotonic() - started
        taken = way.free_bytes - setting.free_bytes()  # they keep theirs until they are ended
    figures: Figures = {
        "trial_epochs_per_s": round(count * EPOCHS / seconds, 3),
        "most_reserved_mib": max(one["reserved_mib"] for one in found),
        "losses differ": len({one["loss"] for one in found}) > 1,
    }
    return figures if setting.toy else figures | {"gpu_mib_with_contexts": taken >> 20}


@contextmanager
def _trials(setting: Setting, count: int, environment: dict[str, str]) -> Iterator[list[_Trial]]:
    """Start trials; end them behind the block, or when their time is over, so that no read waits
    longer than that.

    Raises:
        RuntimeError: there is no time left.
    """
    pipe, command, trials = subprocess.PIPE, setting.command("sharing_once"), list[_Trial]()
    seconds = min(_SECONDS, setting.seconds_left(_SECONDS + _RESERVE) - _RESERVE)
    if seconds <= 0:
        raise RuntimeError("no time is left")
    timer = Timer(seconds, _kill, [trials])
    timer.start()
    try:
        for _ in range(count):
            trials.append(
                subprocess.Popen(
                    command, cwd=ROOT, env=environment, text=True, stdin=pipe, stdout=pipe
                )
            )
        yield trials
    finally:
        _end(trials)
        timer.cancel()


def _kill(trials: list[_Trial]) -> None:
    for trial in trials:
        trial.kill()


def _end(trials: list[_Trial]) -> None:
    """Wait until all have ended: a client of MPS that is killed may take the others with it."""
    ends = time.monotonic() + _SECONDS_TO_END
    for trial in trials:
        assert trial.stdin is not None and trial.stdout is not None
        with suppress(OSError):
            trial.stdin.close()  # who waits for the word gets none
    for trial in trials:
        with suppress(subprocess.TimeoutExpired):
            trial.wait(max(0.0, ends - time.monotonic()))
        trial.kill()
        trial.wait()
        trial.stdout.close()


def _said(trial: _Trial) -> str:
    assert trial.stdout is not None
    return trial.stdout.readline()


def _result(trial: _Trial) -> dict[str, Any]:
    """Return what a trial says of its training.

    Raises:
        RuntimeError: it failed, or was ended.
    """
    said: dict[str, Any] = json.loads(_said(trial) or "{}")
    if "loss" not in said:
        raise RuntimeError(said.get("failed", "a trial ended while it trained, or took too long"))
    return said
