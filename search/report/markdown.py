"""Renders a report's sections as Markdown, and puts it in the study's folder."""

from collections.abc import Sequence
from typing import Any

from search.journal.folder import StudyDir
from search.journal.state import StudyState
from search.report.content import Code, Listing, Paragraph, Part, Section, Subject, Table
from search.report.sections import report_sections
from search.report.tables import short
from trainables.storage import replace_file


def write_report(folder: StudyDir, state: StudyState, running: bool) -> None:
    """Write the report anew; ``running``: a driver is at work and will stay."""
    text = markdown_report(folder, state, running)
    replace_file(folder.report, text.encode(), mode=0o600)


def markdown_report(folder: StudyDir, state: StudyState, running: bool) -> str:
    """Return the whole report as text."""
    return render(report_sections(Subject(folder, state, running)))


def render(sections: Sequence[Section]) -> str:
    """Return sections as text; the first one's title is the report's."""
    first, *others = sections
    blocks = [_section("#", first), *(_section("##", section) for section in others)]
    return "\n\n".join(blocks) + "\n"


def _section(mark: str, section: Section) -> str:
    return "\n\n".join([f"{mark} {section.title}", *map(_part, section.parts)])


def _part(part: Part) -> str:
    match part:
        case Paragraph(text):
            return text
        case Table(head, rows):
            lines = [tuple(map(_cell, line)) for line in (head, *rows)]
            lines.insert(1, ("---",) * len(head))
            return "\n".join("| " + " | ".join(line) + " |" for line in lines)
        case Listing(items):
            return "\n".join(f"- {' '.join(item.split())}" for item in items)
        case Code(language, text):
            return f"```{language}\n{text}\n```"


def _cell(value: Any) -> str:
    """Format a cell; a bar or a line break in it would end it."""
    return " ".join(short(value).split()).replace("|", "\\|")
