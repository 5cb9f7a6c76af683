"""Whether a run repeats to the bit, alone and stored in between."""

import json
import os
import subprocess

from tests.gpu.setting import ROOT, Figures, Setting

#: cuBLAS promises to repeat itself only with a workspace of its own for each stream.
_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


def measure(setting: Setting) -> Figures:
    """Return for each precision and model whether it repeats, with and without the workspace."""
    figures: Figures = {}
    for workspace in ("", ":4096:8"):
        environment = {k: v for k, v in os.environ.items() if k != _WORKSPACE}
        environment |= {_WORKSPACE: workspace} if workspace else {}
        subprocess.run(setting.command("repeats_once"), env=environment, check=True, cwd=ROOT)
        found = json.loads((setting.out / "repeats_once.json").read_text())
        figures |= {f"{name}{' with workspace' * bool(workspace)}": v for name, v in found.items()}
    return figures
