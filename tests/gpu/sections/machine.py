"""What machine this is, and what its GPU costs before it computes anything."""

import json
import shutil
import subprocess
import sys

import numpy as np
import torch

from tests.gpu.record import Figures, Record
from tests.gpu.setting import ROOT, Setting
from tests.gpu.timing import seconds_of, warm_up


def measure(setting: Setting, record: Record) -> None:
    """Take down versions, bandwidth, the cost of a launch, and the memory of a trial's context."""
    record.add({"torch": torch.__version__, "numpy": np.__version__})
    record.add({"python": sys.version.split()[0]})
    if setting.device == "cuda":
        with record.trying("gpu"):
            record.add(_of_gpu())
    with record.trying("context"):
        record.add(_of_a_trial(setting))
    with record.trying("rates"):
        record.add(_rates(setting))


def _of_gpu() -> Figures:
    properties = torch.cuda.get_device_properties(0)
    _, total = torch.cuda.mem_get_info()
    return {
        "gpu": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "memory_gib": round(total / 2**30, 1),
        "cuda": str(torch.version.cuda),
        "cudnn": int(torch.backends.cudnn.version() or 0),
        "bfloat16": torch.cuda.is_bf16_supported(including_emulation=False),
        "mps_control": shutil.which("nvidia-cuda-mps-control") or "none",
    }


def _of_a_trial(setting: Setting) -> Figures:
    """Return the memory that a process takes beside its tensors, once it has trained an epoch.

    Raises:
        RuntimeError: it could not train.
    """
    free_before = setting.free_bytes()
    pipe, command = subprocess.PIPE, setting.command("context_once")
    child = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
    try:
        assert child.stdout is not None and child.stdin is not None
        said = json.loads(child.stdout.readline() or "{}")
        if "reserved" not in said:
            raise RuntimeError(said.get("failed") or f"the trial ended with {child.wait(10)}")
        taken = free_before - setting.free_bytes() - said["reserved"]
        resident = _resident_mib(child.pid)
        child.stdin.close()
        child.wait(30)
    finally:
        child.kill()
        child.wait()
    figures: Figures = {"host_mib_of_a_process": resident}
    return figures if setting.toy else figures | {"context_mib": round(taken / 2**20)}


def _resident_mib(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        kilobytes = next(line.split()[1] for line in file if line.startswith("VmRSS"))
    return int(kilobytes) // 1024


def _rates(setting: Setting) -> Figures:
    numbers = 2**10 if setting.toy else 2**28
    launches = 100 if setting.toy else 20_000
    source, target = (torch.zeros(numbers, device=setting.device) for _ in range(2))
    small = torch.zeros(1, device=setting.device)

    def launch() -> None:
        for _ in range(launches):
            small.add_(1.0)

    warm_up(setting.device)
    launch()
    copying = seconds_of(lambda: target.copy_(source), setting.device, repeats=5)
    return {
        "bandwidth_gb_per_s": round(8 * numbers / copying / 1e9, 1),
        "launch_us": round(1e6 * seconds_of(launch, setting.device) / launches, 2),
    }
