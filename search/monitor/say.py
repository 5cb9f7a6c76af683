"""What a search says to people: on stderr, and in the study's log.

Whoever reads along may leave: ``seqtune run … 2>&1 | head -3``. The search goes on without them.
"""

import logging
import os
import sys
from typing import TextIO

#: The study's log is a handler of this logger (see ``search.monitor.logs``).
LOGGER = logging.getLogger("seqtune")
LOGGER.setLevel(logging.INFO)
LOGGER.propagate = False  # or a program around the search would print everything twice


def say(line: str) -> None:
    """Print a line on stderr, and log it."""
    LOGGER.info(line)
    put(line, sys.stderr)


def put(line: str, stream: TextIO) -> None:
    """Print a line, and nothing from then on once nobody reads the stream any more."""
    try:
        print(line, file=stream, flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
