"""How a session ends, with another in Ray's place."""

import sys
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from search.driver import session
from search.driver.capacity import TrialResources
from search.driver.plan import Options, plan_session
from search.driver.session import _run, _Work
from search.driver.signals import Halt, Interrupter
from search.errors import StudyFailed
from search.policy.failures import Failure
from search.report.rows import nothing_finite
from tests.study_harness import PREPARED

RESOURCES = TrialResources(cpus=1, gpus=0.0, concurrent=1, parcel=None)


@pytest.fixture
def ending(harness, monkeypatch):
    """Runs a session whose trials are as told; ``harness`` has one that came to a value."""
    work = harness.begin()
    harness.report(work, 1, 0.7)
    harness.study.fail(work.number, 1, Failure("exception", "OSError", "…"))
    harness.crash_and_reopen(total=9)
    spec = harness.study.state.spec
    plan = plan_session(spec, Options())
    lock: Any = SimpleNamespace()
    given = _Work(harness.folder, spec, None, PREPARED, plan, None, lock)

    def run(trials):
        monkeypatch.setattr(session, "Watchdog", lambda died: nullcontext())
        monkeypatch.setitem(sys.modules, "search.driver.ray_tune", SimpleNamespace(run=trials))
        return _run(given, harness.study, RESOURCES, Interrupter())

    return run


def all_fail(study, resources, watch, on_step) -> None:
    while study.next() not in ("wait", "finished"):
        study.fail(len(study.state.trials) - 1, 1, Failure("exception", "IndexError", "…"))
        on_step()


def test_first_trials_that_fail_alike_end_the_session_on_record_and_in_the_report(harness, ending):
    with pytest.raises(StudyFailed, match="the first trials have all failed: IndexError"):
        ending(all_fail)
    assert harness.kinds()[-1] == "session_end"
    assert "IndexError" in harness.folder.report.read_text()


def test_nothing_is_written_where_the_journal_may_not_be(harness, ending):
    def full(study, resources, watch, on_step) -> None:
        raise Halt("No space left on device", StudyFailed.exit_code)

    with pytest.raises(StudyFailed, match="No space"):
        ending(full)
    assert harness.kinds()[-1] != "session_end" and not harness.folder.report.exists()


def test_without_any_result_it_is_said_why(harness):
    for number in range(6):
        harness.begin()
        harness.study.fail(number, 1, Failure("exception", "IndexError: no", "…"))
    assert nothing_finite(harness.study.state) == (
        "all 6 trials ended without a finite result; trial 0 failed: IndexError: no"
    )
