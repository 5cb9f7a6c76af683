"""NVIDIA's Multi-Process Service, by which kernels of several processes run at the same time."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CONTROL = "nvidia-cuda-mps-control"
_SECONDS_TO_START, _SECONDS_TO_END = 10.0, 10.0


@contextmanager
def mps() -> Iterator[dict[str, str]]:
    """Run a control daemon of our own; its clients find it by the environment.

    It stays in the foreground, and so in our process group, with which it ends if we are killed.

    Raises:
        RuntimeError: it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="mps-", ignore_cleanup_errors=True) as folder:
        places = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        environment = dict(os.environ) | places
        daemon = subprocess.Popen([CONTROL, "-f"], env=environment, stdin=subprocess.DEVNULL)
        try:
            _wait_for(daemon, Path(folder) / "control")
            yield environment
        finally:
            _quit(daemon, environment)
            _print_logs(Path(folder))


def _wait_for(daemon: subprocess.Popen[bytes], control: Path) -> None:
    ends = time.monotonic() + _SECONDS_TO_START
    while not control.exists():
        if daemon.poll() is not None:
            raise RuntimeError(f"{CONTROL} ended with {daemon.returncode}")
        if time.monotonic() > ends:
            raise RuntimeError(f"{CONTROL} opened no {control.name} in {_SECONDS_TO_START:g} s")
        time.sleep(0.1)


def _quit(daemon: subprocess.Popen[bytes], environment: dict[str, str]) -> None:
    """Ask the daemon to end, with its servers; kill it if it does not."""
    with suppress(subprocess.TimeoutExpired, OSError):
        subprocess.run(
            [CONTROL], env=environment, input="quit -t 5\n", text=True, timeout=_SECONDS_TO_END
        )
        daemon.wait(_SECONDS_TO_END)
    daemon.kill()
    daemon.wait()


def _print_logs(folder: Path) -> None:
    """Print what the daemon and its server have logged, which is removed with their folder."""
    for path in sorted(folder.glob("*.log")):
        with suppress(OSError):
            print(f"{path.name}:\n{path.read_text(errors='replace')[-4000:]}", flush=True)
