"""What a search says to people: on stderr, and in the study's log.

Whoever reads along may leave: ``seqtune run … 2>&1 | head -3``. The search goes on without them.
"""

import logging
import os
from typing import TextIO

from search.monitor.streams import for_people

#: The logger of the whole project; the study's log is a handler of it (``search.monitor.logs``).
LOGGER = logging.getLogger("seqtune")


def say(*lines: str) -> None:
    """Print lines on stderr, and log them."""
    # As ``LOGGER.info``, which looks for its caller first: nobody is shown that.
    if LOGGER.isEnabledFor(logging.INFO):
        said = "\n".join(lines)
        LOGGER.handle(logging.LogRecord(LOGGER.name, logging.INFO, "", 0, said, None, None))


def put(line: str, stream: TextIO) -> None:
    """Print a line, and nothing from then on once nobody reads the stream any more."""
    try:
        print(line, file=stream, flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class _Stderr(logging.Handler):
    """Prints what is said; a traceback is for the log alone."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is None:
            put(self.format(record), for_people())


LOGGER.addHandler(_Stderr())
LOGGER.setLevel(logging.INFO)
LOGGER.propagate = False  # or a program around the search would print everything twice
