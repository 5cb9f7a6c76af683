"""What a report is made of: sections of parts, as data."""

from dataclasses import dataclass
from typing import Any

from search.journal.folder import StudyDir
from search.journal.state import StudyState


@dataclass(frozen=True)
class Paragraph:
    """Text; backquotes mark what is typed or read by programs."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows under a head; a cell is any value, None where there is none."""

    head: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Listing:
    """Points, one a line."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Text to be shown as it is."""

    language: str
    text: str


Part = Paragraph | Table | Listing | Code


@dataclass(frozen=True)
class Section:
    """Parts under a title; the first section of a report has its title at the top."""

    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Subject:
    """What a report is about: a study, and whether a driver is at work and will stay."""

    folder: StudyDir
    state: StudyState
    running: bool
