"""Asks the driver of a running study to leave."""

import os
import signal
import socket
import time
from contextlib import suppress

from search.errors import StudyFailed, StudyNotFound
from search.journal.folder import StudyDir

#: The driver leaves within five seconds; the rest is for a busy machine.
PATIENCE_SECONDS = 30.0


def ask_to_stop(folder: StudyDir) -> None:
    """Sends SIGTERM to the driver and waits until the study is let go.

    Raises:
        StudyNotFound: nobody runs it, or somebody on another machine does.
        StudyFailed: the driver is still there after 30 s.
    """
    owner = folder.running_driver()
    if owner is None:
        raise StudyNotFound(f"study {folder.name!r} is not running")
    if owner.host != socket.gethostname():
        raise StudyNotFound(
            f"study {folder.name!r} is run by process {owner.pid} on {owner.host}: "
            "stop it on that machine"
        )
    with suppress(ProcessLookupError):  # it has left a moment ago
        os.kill(owner.pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while folder.running_driver() is not None:
        if time.monotonic() > deadline:
            raise StudyFailed(f"process {owner.pid} still runs study {folder.name!r}")
        time.sleep(0.1)
