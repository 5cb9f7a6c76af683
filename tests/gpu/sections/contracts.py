"""The tests that need a GPU."""

import re
import subprocess
import sys
from importlib.util import find_spec

from tests.gpu.record import Record
from tests.gpu.setting import ROOT, Setting

_TESTS = "tests/gpu/test_on_gpu.py"
#: The project's own settings name options of plugins that a bare machine lacks. pytest's own
#: faulthandler tells where a test hangs, with or without the plugin that ends it.
_PLAIN = ["-o", "addopts=--import-mode=importlib", "-o", "faulthandler_timeout=30"]
_PLAIN += ["-o", "timeout=45", "-p", "no:cacheprovider"]


def measure(setting: Setting, record: Record) -> None:
    """Take down how many of them passed, failed and were left out; the report is a log of its own.

    Raises:
        RuntimeError: pytest itself failed.
    """
    if find_spec("pytest") is None:
        record.add({"left out": "no pytest here"})
        return
    report = setting.out / "tests.log"
    with report.open("w") as log:
        done = subprocess.run(
            [sys.executable, "-u", "-m", "pytest", "-v", *_PLAIN, _TESTS],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    text = report.read_text(errors="replace")
    last = text.strip().splitlines()[-1]
    counts = re.findall(r"(\d+) (passed|skipped|failed|error)", last)
    record.add({f"tests {kind}": int(count) for count, kind in counts if kind != "failed"})
    for name, why in re.findall(r"^(?:FAILED|ERROR) \S+::(\S+)(?: - (.*))?", text, re.MULTILINE):
        record.add({f"{name} failed": why})
    if done.returncode:
        raise RuntimeError(last)
