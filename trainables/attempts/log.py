"""Warnings of a trial, written to its log; imports no torch."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FORMAT = "%(asctime)s %(name)s: %(message)s"


@contextmanager
def warnings_to(path: Path) -> Iterator[None]:
    """Write warnings, and what libraries log as such, to a file for the length of the block."""
    handler, root = logging.FileHandler(path, encoding="utf-8", delay=True), logging.getLogger()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter(_FORMAT))
    root.addHandler(handler)
    logging.captureWarnings(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # each once, wherever it comes from
            yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        handler.close()
