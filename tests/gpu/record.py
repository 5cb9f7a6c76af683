"""The figures of a section, kept as they come: what follows may fail, or be killed."""

import json
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

#: Figures of a section by name, plain JSON.
Figures = dict[str, float | int | str | bool]

#: Most characters of an error that are kept.
_LONGEST_ERROR = 400


@dataclass
class Record:
    """The figures of a section so far.

    Attributes:
        path: file that holds them at any moment; None to print each addition as a line of JSON,
            which is how a part tells the section that has started it.
    """

    path: Path | None = None
    figures: Figures = field(default_factory=dict)

    def add(self, figures: Figures) -> None:
        """Add figures to the file, or print them."""
        self.figures |= figures
        if self.path is None:
            print(json.dumps(figures), flush=True)
            return
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(self.figures, indent=1))
        os.replace(beside, self.path)  # a reader finds a whole file, whenever we are killed

    @contextmanager
    def trying(self, name: str) -> Iterator[None]:
        """Take down why the block failed, as ``NAME failed``, and go on; its trace is printed."""
        try:
            yield
        # Whatever it is: the machine is lent for minutes, and the other figures may still be had.
        except Exception as error:
            traceback.print_exc()
            self.add({f"{name} failed".strip(): repr(error)[:_LONGEST_ERROR]})


def has_failed(figures: Figures) -> bool:
    """Whether something is taken down as failed."""
    return any(name.endswith("failed") for name in figures)
