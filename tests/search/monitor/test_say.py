"""What is said, who may leave while it is said, and what stays in the study's logs."""

import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from search.errors import SpecError
from search.journal.folder import StudyDir
from search.monitor.logs import TrialLogs, logging_to
from search.monitor.say import LOGGER, say
from search.policy.failures import Failure
from tests.study_harness import StudyHarness
from trainables.attempts.log import warnings_to

ROOT = Path(__file__).parents[3]
TALKER = """
import sys, time
from search.monitor.say import put, say
say("first")
for number in range(50):
    say(f"line {number}")
    put(f"result {number}", sys.stdout)
    time.sleep(0.01)
open("reached", "w").close()
"""


@pytest.mark.lengthy
@pytest.mark.parametrize("both", ["2>&1", "2>/dev/null"])
def test_whoever_listens_may_leave(tmp_path, both):
    command = f"{sys.executable} -c '{TALKER}' {both} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reached").exists() and "Exception ignored" not in done.stderr


@pytest.fixture
def study(tmp_path) -> StudyDir:
    folder = StudyDir(tmp_path / "small")
    folder.root.mkdir()
    return folder


def test_what_is_said_is_in_the_drivers_log(study, capsys):
    study.journal.write_text("{}\n")
    with logging_to(study):
        say("two words", "and three more")
    say("later")
    assert capsys.readouterr().err == "two words\nand three more\nlater\n"
    lines = study.driver_log.read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == ["two words", "and three more"]
    assert lines[0].split(" ", 2)[:2] == lines[1].split(" ", 2)[:2], "each has its time"


def test_a_program_around_a_search_may_silence_it(capsys):
    LOGGER.setLevel(logging.WARNING)
    try:
        say("nobody wants to know")
    finally:
        LOGGER.setLevel(logging.INFO)
    assert capsys.readouterr().err == ""


def test_a_refused_study_leaves_no_log_and_a_fault_leaves_its_traceback(study):
    with pytest.raises(SpecError), logging_to(study):
        say("nothing has begun")
        raise SpecError("no")
    assert not study.logs.exists()
    with pytest.raises(ZeroDivisionError), logging_to(study):
        say(f"{1 / 0}")
    text = study.driver_log.read_text()
    assert "Traceback" in text and "ZeroDivisionError" in text


def test_a_failed_attempts_traceback_is_in_its_trials_log(tmp_path, tables):
    harness = StudyHarness(tmp_path, tables)
    harness.study.follow(TrialLogs(harness.folder))
    works = [harness.begin() for _ in range(2)]
    harness.report(works[0], 1, 0.5)
    harness.study.fail(1, 1, Failure("exception", "ValueError: no", "Traceback\n  line 3\n"))
    assert [path.name for path in harness.folder.logs.iterdir()] == ["trial-0001.log"]
    text = (harness.folder.root / harness.folder.trial_log(1)).read_text()
    assert "attempt 1 failed (exception): ValueError: no\nTraceback\n  line 3\n" in text


def test_a_trials_warnings_are_in_its_log(tmp_path):
    path = tmp_path / "trial.log"
    with warnings_to(path):
        logging.getLogger("library").info("never mind")
    assert not path.exists()
    with warnings_to(path):
        warnings.warn("this is odd", stacklevel=1)
        logging.getLogger("library").warning("and this")
    text = path.read_text()
    assert "this is odd" in text and "library: and this" in text
    logging.getLogger("library").warning("after it")
    assert "after it" not in path.read_text()
