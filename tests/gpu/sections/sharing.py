"""Several trials on one GPU, each a process: taking turns, and under MPS at the same time."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.gpu.setting import ROOT, Figures, Setting

_CONTROL = "nvidia-cuda-mps-control"
#: Variable of the environment with a trial's share of the GPU, and the epochs that it is timed for.
SHARE, EPOCHS = "SEQTUNE_CHECK_SHARE", 3


def measure(setting: Setting) -> Figures:
    """Return trial-epochs a second and memory by number of processes, then under MPS."""
    counts = (1, 2) if setting.toy else (1, 2, 4, 8, 16)
    figures: Figures = {}
    for count in counts:
        figures |= _together(setting, count, "", dict(os.environ))
    if setting.device == "cpu" or shutil.which(_CONTROL) is None:
        return figures | {"MPS": "not here"}
    with _mps() as environment:
        for count in counts[1:]:
            figures |= _together(setting, count, " under MPS", environment)
    return figures


@contextmanager
def _mps() -> Iterator[dict[str, str]]:
    """Run a control daemon of our own; its clients find it by the environment."""
    with tempfile.TemporaryDirectory(prefix="mps-") as folder:
        places = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        environment = dict(os.environ) | places
        subprocess.run([_CONTROL, "-d"], env=environment, check=True)
        try:
            yield environment
        finally:
            subprocess.run([_CONTROL], env=environment, input="quit\n", text=True, timeout=30)


def _together(setting: Setting, count: int, how: str, environment: dict[str, str]) -> Figures:
    """Train ``count`` trials at once; all begin when the last is ready."""
    trials = [_trial(setting, environment | {SHARE: str(1 / count)}) for _ in range(count)]
    try:
        for trial in trials:
            if _said(trial) != "ready\n":
                raise RuntimeError("a trial ended before it trained")
        started = time.monotonic()
        for trial in trials:
            assert trial.stdin is not None
            trial.stdin.write("go\n")
            trial.stdin.flush()
        found = [json.loads(_said(trial)) for trial in trials]
        seconds = time.monotonic() - started
    finally:
        for trial in trials:
            trial.kill()
            trial.wait()
    name = f"{count} processes{how}"
    return {
        f"{name} trial_epochs_per_s": round(count * EPOCHS / seconds, 3),
        f"{name} most_reserved_mib": max(one["reserved_mib"] for one in found),
        f"{name} losses differ": len({one["loss"] for one in found}) > 1,
    }


def _trial(setting: Setting, environment: dict[str, str]) -> subprocess.Popen[str]:
    pipe, command = subprocess.PIPE, setting.command("sharing_once")
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdin=pipe, stdout=pipe)


def _said(trial: subprocess.Popen[str]) -> str:
    assert trial.stdout is not None
    return trial.stdout.readline()
