"""A search whose driver runs on the head of its cluster: started there, followed from here."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster.errors import ClusterError
from cluster.kinds.ssh import Ssh
from cluster.ssh.detached import Command, follow, run_on_head
from cluster.ssh.ending import take_down
from cluster.ssh.launcher import Launcher
from cluster.ssh.looking import head_of
from cluster.ssh.record import Record
from search.driver.changes import packages
from search.driver.signals import Halt
from search.errors import StudyFailed
from search.journal.folder import StudyDir
from search.monitor.say import say
from search.program import RESUME_VARIABLE, called_as
from search.spec.study import StudySpec, to_toml

_ROOT = Path(__file__).parents[2]

#: The study file, where the driver is started.
_STUDY = "study.toml"


def drive_on_head(
    verb: str, spec: StudySpec, options: Sequence[str], cluster: Ssh, folder: StudyDir, resume: str
) -> int:
    """Have ``seqtune VERB`` run on the head and follow it; return its exit code.

    Args:
        verb: ``run`` or ``resume``.
        spec: the study, which goes along as a file for ``run``.
        options: those of the command that are not in the study.
        resume: the command that goes on with the study from here.

    Raises:
        ClusterError: it could not be started, and nothing is left of it.
        StudyFailed: it is out of sight, or was killed.
    """
    launcher = cluster.launcher(say)
    what = _STUDY if verb == "run" else spec.name
    results = ["--results-dir", str(folder.root.parent), "--cluster", "{address}"]
    code = [_ROOT / "search", _ROOT / "cluster", *packages(spec)]
    command = Command(
        arguments=("-m", "search", verb, what, *options, *results),
        packages=tuple(code),
        files={_STUDY: to_toml(spec)},
        environment={RESUME_VARIABLE: resume},
    )
    record = run_on_head(launcher, spec.name, command)
    say(f"the driver runs on {head_of(record).name}; Ctrl-C here leaves it running")
    return _followed(launcher, record, folder, cluster.file)


def _followed(launcher: Launcher, record: Record, folder: StudyDir, file: Path) -> int:
    words = ["stop", folder.name, "--results-dir", str(folder.root.parent)]
    goes_on = f"the search goes on; stop it with: {_command(*words)}"
    if not record.is_beside:
        goes_on += "; its nodes end with it, and what it leaves on them goes with: "
        goes_on += _command("cluster", "down", str(file))
    try:
        code = follow(record, _put)
    except (Halt, KeyboardInterrupt):
        say(f"\n{goes_on}")
        return 0
    except ClusterError as error:
        raise StudyFailed(f"{error}: the head is out of sight; {goes_on}") from error
    logs = folder.logs / "nodes" if folder.exists() else None
    take_down(launcher.records, record, launcher.tell, logs)
    if code is None:
        raise StudyFailed("the driver on the head was killed")
    return code


def _command(*words: str) -> str:
    return shlex.join([*called_as(), *words])


def _put(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
