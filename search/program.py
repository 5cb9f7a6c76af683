"""How this program was called, so that a command that is printed works as printed."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def called_as() -> list[str]:
    """Return what a shell takes for ``seqtune``: as this process was started, if that was by it."""
    script = Path(sys.argv[0])
    if script.name == "__main__.py" and script.parent.name == "search":
        return [sys.executable, "-m", "search"]
    if script.name != "seqtune":  # a script or a notebook that calls ``search.run``
        return ["seqtune"]
    on_path = shutil.which("seqtune")
    if on_path is not None and Path(on_path).resolve() == script.resolve():
        return ["seqtune"]
    return [sys.argv[0]]


#: The command that goes on with a study, where this process was started by another machine's.
RESUME_VARIABLE = "SEQTUNE_RESUME"


def study_command(verb: str, name: str, results: Path, *options: str) -> str:
    """Return the command that does something with a study."""
    place = [] if results == Path("results") else ["--results-dir", str(results)]
    return shlex.join([*called_as(), verb, name, *place, *options])


def resume_command(name: str, results: Path, cluster: str = "local") -> str:
    """Return the command that goes on with a study."""
    if RESUME_VARIABLE in os.environ:
        return os.environ[RESUME_VARIABLE]
    return study_command(
        "resume", name, results, *([] if cluster == "local" else ["--cluster", cluster])
    )
