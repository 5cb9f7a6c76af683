"""Whether a run repeats to the bit, alone and stored in between."""

import json
import os
import subprocess

from tests.gpu.record import Record
from tests.gpu.setting import ROOT, Setting

#: cuBLAS promises to repeat itself only with a workspace of its own for each stream.
_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


def measure(setting: Setting, record: Record) -> None:
    """Take down for each precision and model whether it repeats, with and without the workspace."""
    for workspace in ("", ":4096:8"):
        environment = {k: v for k, v in os.environ.items() if k != _WORKSPACE}
        environment |= {_WORKSPACE: workspace} if workspace else {}
        how = " with workspace" * bool(workspace)
        with record.trying(f"repeats{how}"):
            _once(setting, record, how, environment)


def _once(setting: Setting, record: Record, how: str, environment: dict[str, str]) -> None:
    """Take down each figure as the part prints it.

    Raises:
        RuntimeError: it did not come to its end.
    """
    command, pipe = setting.command("repeats_once"), subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, text=True) as part:
        assert part.stdout is not None
        for line in part.stdout:
            record.add({_under(name, how): value for name, value in json.loads(line).items()})
    if part.returncode:
        raise RuntimeError(f"a run ended with {part.returncode}")


def _under(name: str, how: str) -> str:
    """Return a figure's name under an environment; what has failed is known by its last word."""
    return f"{name.removesuffix(' failed')}{how} failed" if name.endswith("failed") else name + how
