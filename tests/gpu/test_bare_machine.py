"""A machine that has a GPU for a quarter of an hour has little else installed."""

import subprocess
import sys

import pytest

from tests.gpu.setting import ROOT

#: What need not be there; pytest is asked for by the tests of the GPU alone.
ABSENT = "ray optuna datasets scipy psutil click rich tensorboard sklearn pyarrow hypothesis triton"

_IMPORT = """
import sys
from importlib import import_module
from pathlib import Path

absent = {*sys.argv[1:], "pytest"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not there", name=name)

sys.meta_path.insert(0, Refuse())
import_module("tests.gpu.check")
for path in sorted(Path("tests/gpu/sections").glob("*.py")):
    import_module(f"tests.gpu.sections.{path.stem}")
absent.remove("pytest")
import_module("tests.conftest")
import_module("tests.gpu.test_on_gpu")
print(*sorted(name for name in sys.modules if name.startswith("tests.gpu")))
"""


@pytest.mark.slow
def test_the_check_can_be_imported_on_a_bare_machine():
    command = [sys.executable, "-c", _IMPORT, *ABSENT.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split())
    assert {"tests.gpu.check", "tests.gpu.test_on_gpu", "tests.gpu.sections.fused"} <= imported
