"""The tests that need a GPU."""

import re
import subprocess
import sys
from importlib.util import find_spec

from tests.gpu.setting import ROOT, Figures, Setting

_TESTS = "tests/gpu/test_on_gpu.py"
#: The project's own settings name options of plugins that a bare machine lacks.
_PLAIN = ("-o", "addopts=--import-mode=importlib")


def measure(setting: Setting) -> Figures:
    """Return how many of them passed, failed and were left out.

    Raises:
        RuntimeError: one failed; its report goes to ``contracts.log``.
    """
    if find_spec("pytest") is None:
        return {"left out": "no pytest here"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_PLAIN, _TESTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    (setting.out / "contracts.log").write_text(done.stdout + done.stderr)
    last = done.stdout.strip().splitlines()[-1]
    if done.returncode:
        raise RuntimeError(last)
    return {kind: int(count) for count, kind in re.findall(r"(\d+) (passed|skipped)", last)}
