"""What every command has in common that drives trials: signals, errors, and how to go on."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.journal.folder import StudyDir


def resume_hint(folder: "StudyDir", command: Callable[[], str]) -> Callable[[], str]:
    """Return a function that says which ``command`` resumes a study, or nothing before there is
    one, or once another driver has it."""

    def hint() -> str:
        from search.journal.holder import Driver

        if not folder.exists():
            return ""
        driver = folder.running_driver()
        return f"resume with: {command()}" if driver in (None, Driver.this()) else ""

    return hint


def carry_out(
    session: Callable[[], Any],
    interrupter: Any,
    folder: "StudyDir",
    tell: Callable[[Any, str], None],
    halted: str = " before the search began",
) -> None:
    """Run a session, and tell its outcome with the command that goes on.

    ``halted`` says of one that was ended from without what came of it until then.
    """
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
        say(f"{halt.reason}{halted}; {hint}")
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
