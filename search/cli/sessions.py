"""What every command has in common that drives trials: signals, errors, and how to go on."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.program import resume_command

if TYPE_CHECKING:
    from search.journal.folder import StudyDir


def resume_hint(
    folder: "StudyDir", name: str, results: Path, cluster: str = "local"
) -> Callable[[], str]:
    """Return a function that gives the command which resumes a study, or nothing before there is
    one, or once another driver has it."""
    command = resume_command(name, results, cluster)

    def hint() -> str:
        from search.journal.lock import Driver

        if not folder.exists():
            return ""
        driver = folder.running_driver()
        return f"resume with: {command}" if driver in (None, Driver.this()) else ""

    return hint


def carry_out(
    session: Callable[[], Any],
    interrupter: Any,
    folder: "StudyDir",
    tell: Callable[[Any, str], None],
) -> None:
    """Run a session, and tell its outcome with the command that goes on."""
    from cluster.errors import ClusterError
    from search.driver.signals import Halt
    from search.errors import StudyFailed
    from search.monitor.say import say
    from trainables.errors import SeqtuneError

    try:
        with interrupter.listening():
            outcome = session()
    except Halt as halt:
        hint = interrupter.resume_hint() or "nothing was begun"
        say(f"{halt.reason} before the search began; {hint}")
        sys.exit(halt.exit_code)
    except (StudyFailed, OSError) as error:
        raise StudyFailed(f"{error}\n{interrupter.resume_hint()}".strip()) from error
    except (SeqtuneError, ClusterError):
        raise
    except Exception as error:  # a fault of ours, whose traceback is in the study's log
        cause = f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]
        where = f"the traceback is in {folder.driver_log}"
        raise StudyFailed(f"{cause}; {where}\n{interrupter.resume_hint()}") from error
    tell(outcome, interrupter.resume_hint())
