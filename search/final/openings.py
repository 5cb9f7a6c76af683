"""When the test part of a study was opened, and what came of it: one line an event, for ever.

An opening is written down before the part is read. One without a result may be finished, for those
whom it was made for; another is refused, unless somebody insists, and then that is on record too.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from search.errors import SpecError


class Openings:
    """The record of one study."""

    def __init__(self, path: Path) -> None:
        """Read it, as far as it is whole: a crash can tear the last line."""
        self._path, self.lines = path, list[dict[str, Any]]()
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        self._whole = len(whole)
        for line in whole.splitlines():
            self.lines.append(json.loads(line))

    @property
    def count(self) -> int:
        """How often the test part was opened."""
        return sum(line["event"] == "opened" for line in self.lines)

    @property
    def result(self) -> dict[str, Any] | None:
        """The last result; None while there is none."""
        results = [line["result"] for line in self.lines if line["event"] == "result"]
        return results[-1] if results else None

    @property
    def unfinished(self) -> bool:
        """Whether the last opening has no result yet."""
        return bool(self.lines) and self.lines[-1]["event"] == "opened"

    @property
    def chosen(self) -> str | None:
        """Who was scored last; None where that was not written down."""
        opened = [line for line in self.lines if line["event"] == "opened"]
        return opened[-1].get("chosen") if opened else None

    def may_finish(self, chosen: str) -> bool:
        """Whether the last opening has no result yet, and was made for these."""
        return self.unfinished and self.chosen in (None, chosen)

    def check(self, force: bool, chosen: str) -> None:
        """Make sure that the test part may be opened.

        Raises:
            SpecError: it was opened before, and nobody insists.
        """
        if self.lines and not force and not self.may_finish(chosen):
            raise self.refusal()

    def open(self, purpose: str, force: bool, chosen: str) -> None:
        """Write down that the test part is about to be read; go on with one without a result.

        ``chosen`` tells who is scored from others.

        Raises:
            SpecError: see ``check``.
        """
        self.check(force, chosen)
        if not self.may_finish(chosen):
            forced = force and bool(self.lines)
            line = {"event": "opened", "purpose": purpose, "forced": forced, "chosen": chosen}
            self._append(line)

    def refusal(self) -> SpecError:
        """Return what is said to whoever would open it again."""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.lines[0]["time"]))
        return SpecError(
            f"the test part was opened before, on {when}: its figure counts once. To open it "
            "again and have that on record, insist with --force"
        )

    def close(self, result: dict[str, Any]) -> None:
        """Write down what came of the last opening."""
        self._append({"event": "result", "result": result})

    def _append(self, event: dict[str, Any]) -> None:
        line = {**event, "time": round(time.time(), 3)}
        content = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            os.truncate(descriptor, self._whole)  # what a crash has torn
            os.write(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._whole += len(content)
        self.lines.append(line)
