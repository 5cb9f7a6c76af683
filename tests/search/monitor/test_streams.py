"""What others print goes to a log, and what we say stays where people look."""

import io
import os
import subprocess
import sys
import textwrap
from pathlib import Path

from search.monitor.say import say
from search.monitor.streams import others_to

ROOT = Path(__file__).parents[3]


def run(code: str, log: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(log)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_others_are_logged_and_we_are_heard(tmp_path):
    log = tmp_path / "logs" / "ray.log"
    done = run(
        """
        import os, sys
        from pathlib import Path
        from search.monitor.say import put, say
        from search.monitor.streams import others_to

        with others_to(Path(sys.argv[1])):
            os.write(2, b"a stack of C++\\n")
            os.write(1, b"(raylet) died\\n")
            print("a logger", file=sys.stderr)
            print("a print", flush=True)
            say("said")
        say("after")
        put("data", sys.stdout)
        """,
        log,
    )
    assert (done.stdout, done.stderr) == ("data\n", "said\nafter\n")
    assert log.read_text() == "a stack of C++\n(raylet) died\na logger\na print\n"


def test_a_log_is_added_to_and_an_empty_one_is_not_left(tmp_path):
    log = tmp_path / "logs" / "ray.log"
    with others_to(log):
        pass
    assert not log.parent.exists()
    log.parent.mkdir()
    log.write_text("before\n")
    with others_to(log):
        os.write(2, b"now\n")
    assert log.read_text() == "before\nnow\n"


def test_a_stream_of_a_program_around_us_stays(tmp_path, monkeypatch):
    mine = io.StringIO()
    monkeypatch.setattr(sys, "stderr", mine)
    with others_to(tmp_path / "ray.log"):
        say("kept")
    assert mine.getvalue() == "kept\n"
