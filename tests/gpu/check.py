"""Everything that only a GPU can tell, measured in one go.

``python -m tests.gpu.check [--device cpu] [--only machine,lecture] [--corpus FOLDER] [--out gpu]
[--seconds 480]``: each section runs in a process of its own, so that a fault of the device ends one
section. Its figures go to ``OUT/SECTION.json`` as they come, what it says to ``OUT/SECTION.log``,
and a table to the screen and to ``OUT/table.log``. After each section all of that is packed into
``OUT.tgz``, whatever has failed. All sections are estimated to take eight minutes on an H100, the
most telling first. Each has seconds of its own, of which none before it can take any; those that a
shorter ``--seconds`` leaves no time for are left out. ``--device cpu`` runs the same code at toy
size, which proves nothing but that it runs.

A bare machine needs neither Ray nor Optuna: torch with CUDA, NumPy, tokenizers and safetensors.
With pytest the tests of the GPU run too, with triton the prototype of a kernel. Six wheels may have
to be carried there, those of its Python: pydantic, pydantic-core, annotated-types,
typing-inspection, typing-extensions and platformdirs. In the project's folder:

    python -m pip install --no-index --no-deps --target carried WHEELS/*.whl
    export PYTHONPATH=carried
    python -c "from tests.gpu import setting as s; c = s.Setting('cuda', s.ROOT); \\
      print(s.trainer_of(c, c.texts(64)).train_epoch())"
    python -m tests.gpu.check --out /tmp/gpu --corpus CORPUS

The tiny epoch before the check shows that all can be imported, and that a model trains.
``--corpus`` is the folder of a prepared corpus of reviews; without one, texts of their lengths are
made up.
"""

import argparse
import faulthandler
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from tests.gpu.record import Figures, Record, has_failed
from tests.gpu.setting import ROOT, Setting

#: The sections in order, each with the seconds that are kept for it; all are eight minutes.
SECTIONS = {
    "machine": 50,
    "contracts": 70,
    "recurrence": 75,
    "lecture": 80,
    "repeats": 60,
    "sharing": 90,
    "probe": 20,
    "fused": 35,
}
#: Seconds of all sections together.
SECONDS = float(sum(SECTIONS.values()))
#: A section is ended after so many times its own seconds, if others have left some of theirs.
_MOST = 2

#: A section that has fewer seconds is not begun.
_FEWEST_SECONDS = 10
#: Seconds before its end at which a section writes down where it stands.
_TO_WRITE_TRACES = 5


def run_alone(name: str, setting: Setting, limit: float) -> Figures:
    """Run a section in a process of its own; return its figures, and what went wrong."""
    started, failure = time.monotonic(), ""
    # What an earlier check has left there would pass for this one's.
    (setting.out / f"{name}.json").unlink(missing_ok=True)
    with (setting.out / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            setting.ending_in(limit).command(name),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            if code := process.wait(limit):
                failure = f"ended with {code}: {_last_lines(setting.out / f'{name}.log')}"
        except subprocess.TimeoutExpired:
            failure = f"took more than {limit:.0f} s"
        finally:
            _end_all(process)
    figures = _written(setting.out / f"{name}.json")
    if failure:
        figures.setdefault("failed", failure)  # the section itself knows better why
    return figures | {"section_seconds": round(time.monotonic() - started, 1)}


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """End a section with all that it has started: they are of its session, and so of its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_lines(path: Path) -> str:
    return " | ".join(path.read_text(errors="replace").strip().splitlines()[-3:])


def _written(path: Path) -> Figures:
    if not path.exists():
        return {}
    figures: Figures = json.loads(path.read_text())
    return figures


def pack(out: Path) -> Path:
    """Pack the figures and logs, without checkpoints, into one file beside their folder."""
    packed = out.with_name(f"{out.name}.tgz")
    beside = packed.with_suffix(".new")
    with tarfile.open(beside, "w:gz") as archive:
        for path in sorted(out.iterdir()):
            if path.suffix in (".json", ".log"):
                archive.add(path, f"{out.name}/{path.name}")
    os.replace(beside, packed)
    return packed


def run_here(name: str, setting: Setting) -> bool:
    """Run a section in this process, or a part of one; return whether it came to its end.

    A section keeps its figures in a file. A part prints them, and of many at once none writes one.
    """
    if setting.ends:
        faulthandler.dump_traceback_later(max(1.0, setting.seconds_left(1e9) - _TO_WRITE_TRACES))
    record = Record(setting.out / f"{name}.json" if name in SECTIONS else None)
    with record.trying(""):
        import_module(f"tests.gpu.sections.{name}").measure(setting, record)
    return "failed" not in record.figures


def _limit(name: str, later: list[str], left: float) -> float:
    """Return a section's seconds: its own, and what is left beside those of later ones."""
    own, spare = SECTIONS[name], left - sum(SECTIONS[other] for other in later)
    return min(left, max(own, min(spare, _MOST * own)))


def run_all(wanted: list[str], setting: Setting, seconds: float) -> bool:
    """Run sections one after the other and print their figures; return whether all went well."""
    ends, well, table = time.monotonic() + seconds, True, setting.out / "table.log"
    table.write_text("")
    for at, name in enumerate(wanted):
        limit = _limit(name, wanted[at + 1 :], ends - time.monotonic())
        if limit < _FEWEST_SECONDS:
            figures: Figures = {"left out": f"of {seconds:g} s too few are left"}
        else:
            figures = run_alone(name, setting, limit)
        well = well and not has_failed(figures)
        rows = [f"{name:<11} {figure:<52} {value}" for figure, value in figures.items()]
        print(*rows, sep="\n", flush=True)
        with table.open("a") as file:
            print(*rows, sep="\n", file=file)
        pack(setting.out)
    return well


def main() -> int:
    """Run the sections that are asked for; return 1 if one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas between")
    parser.add_argument("--corpus", type=Path, help="folder of a prepared corpus")
    parser.add_argument("--out", type=Path, default=Path("gpu"), help="folder of the figures")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all sections together")
    # A section, or a part of one that must run in a process of its own, and when it is killed.
    parser.add_argument("--here", help=argparse.SUPPRESS)
    parser.add_argument("--ends", type=float, default=0.0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    corpus = arguments.corpus and arguments.corpus.absolute()
    setting = Setting(arguments.device, arguments.out.absolute(), corpus, arguments.ends)
    setting.out.mkdir(parents=True, exist_ok=True)
    if arguments.here:
        return 0 if run_here(arguments.here, setting) else 1
    wanted = arguments.only.split(",")
    if unknown := sorted(set(wanted) - set(SECTIONS)):
        parser.error(f"no section {', '.join(unknown)}: choose from {', '.join(SECTIONS)}")
    return 0 if run_all(wanted, setting, arguments.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
