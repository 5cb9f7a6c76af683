"""What machine this is, and what its GPU costs before it computes anything."""

import shutil
import subprocess
import sys

import numpy as np
import torch

from tests.gpu.setting import Figures, Setting, seconds_of

#: Opens a context as a trial does, with what cuBLAS and cuDNN need, and waits to be looked at.
_TRIAL = """
import sys, torch
layer = torch.nn.LSTM(64, 64, batch_first=True).cuda()
layer(torch.zeros(8, 9, 64, device="cuda"))[0].sum().backward()
torch.cuda.synchronize()
print(torch.cuda.memory_reserved(), flush=True)
sys.stdin.read()
"""


def measure(setting: Setting) -> Figures:
    """Return versions, bandwidth, the cost of a launch, and the memory of a context."""
    figures: Figures = {"torch": torch.__version__, "numpy": np.__version__}
    figures |= {"python": sys.version.split()[0]}
    figures |= _of_gpu() if setting.device == "cuda" else {}
    return figures | _rates(setting)


def _of_gpu() -> Figures:
    properties = torch.cuda.get_device_properties(0)
    free_before, total = torch.cuda.mem_get_info()
    child = subprocess.Popen(
        [sys.executable, "-c", _TRIAL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdin is not None
    reserved = int(child.stdout.readline())
    free_after, _ = torch.cuda.mem_get_info()
    resident = _resident_mib(child.pid)
    child.stdin.close()
    child.wait(30)
    return {
        "gpu": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "memory_gib": round(total / 2**30, 1),
        "cuda": str(torch.version.cuda),
        "cudnn": int(torch.backends.cudnn.version() or 0),
        "bfloat16": torch.cuda.is_bf16_supported(including_emulation=False),
        "context_mib": round((free_before - free_after - reserved) / 2**20),
        "host_mib_of_a_process": resident,
        "mps_control": shutil.which("nvidia-cuda-mps-control") or "none",
    }


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

    launch()
    copying = seconds_of(lambda: target.copy_(source), setting.device, repeats=5)
    return {
        "bandwidth_gb_per_s": round(8 * numbers / copying / 1e9, 1),
        "launch_us": round(1e6 * seconds_of(launch, setting.device) / launches, 2),
    }
