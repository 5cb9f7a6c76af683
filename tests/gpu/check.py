"""Everything that only a GPU can tell, measured in one go.

``python -m tests.gpu.check [--device cpu] [--only machine,lecture] [--corpus FOLDER] [--out gpu]``:
each section runs in a process of its own, so that a fault of the device ends one section. Its
figures go to ``OUT/SECTION.json``, and a table to the screen. All of them take eight minutes on an
H100, estimated. ``--device cpu`` runs the same code at toy size, which proves nothing but that it
runs.

The machine needs neither Ray nor Optuna: torch with CUDA, NumPy, and the wheels of pydantic,
pydantic-core, annotated-types, typing-inspection, platformdirs, tokenizers and safetensors. With
pytest (and pluggy, iniconfig, packaging, pygments) the tests of the GPU run too, with triton the
prototype of a kernel. ``--corpus`` is a prepared corpus of reviews; without one, texts of their
lengths are made up.
"""

import argparse
import json
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

from tests.gpu.setting import ROOT, Figures, Setting

#: The sections in order, each with the seconds after which it is ended.
SECTIONS = {
    "machine": 60,
    "contracts": 120,
    "recurrence": 120,
    "lecture": 120,
    "repeats": 90,
    "sharing": 180,
    "fused": 90,
}


def run_alone(name: str, setting: Setting) -> Figures:
    """Run a section in a process of its own; return its figures, or what went wrong."""
    command = setting.command(name)
    started, limit = time.monotonic(), SECTIONS[name]
    try:
        done = subprocess.run(command, timeout=limit, capture_output=True, text=True, cwd=ROOT)
    except subprocess.TimeoutExpired:
        return {"failed": f"took more than {limit} s"}
    figures = _written(setting.out / f"{name}.json") if done.returncode == 0 else {}
    if done.returncode:
        figures["failed"] = " | ".join(done.stderr.strip().splitlines()[-3:])
    return figures | {"section_seconds": round(time.monotonic() - started, 1)}


def _written(path: Path) -> Figures:
    figures: Figures = json.loads(path.read_text())
    return figures


def run_here(name: str, setting: Setting) -> None:
    """Run a section in this process and write its figures."""
    figures = import_module(f"tests.gpu.sections.{name}").measure(setting)
    (setting.out / f"{name}.json").write_text(json.dumps(figures, indent=1))


def main() -> int:
    """Run the sections that are asked for; return 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas between")
    parser.add_argument("--corpus", type=Path, help="folder of a prepared corpus")
    parser.add_argument("--out", type=Path, default=Path("gpu"), help="folder of the figures")
    # A section, or a part of one that must run in a process of its own.
    parser.add_argument("--here", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    corpus = arguments.corpus and arguments.corpus.absolute()
    setting = Setting(arguments.device, arguments.out.absolute(), corpus)
    setting.out.mkdir(parents=True, exist_ok=True)
    if arguments.here:
        run_here(arguments.here, setting)
        return 0
    wanted = arguments.only.split(",")
    if unknown := sorted(set(wanted) - set(SECTIONS)):
        parser.error(f"no section {', '.join(unknown)}: choose from {', '.join(SECTIONS)}")
    failed = False
    for name in wanted:
        figures = run_alone(name, setting)
        failed |= "failed" in figures
        for figure, value in figures.items():
            print(f"{name:<11} {figure:<52} {value}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
