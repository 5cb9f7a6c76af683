"""Ray's own parts die: a trial's process stops, the head, this machine's raylet."""

import signal

import numpy as np
import pytest

from tests.cli_sandbox import TRIAL, Sandbox, family
from trainables.data.corpus import prepare
from trainables.data.spec import DataSpec
from trainables.storage import Cache

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path, tables):
    tables["stopping"] |= {"max_epochs": 2000, "grace_epochs": 2000}
    tables["search"]["trials"] = 2
    return Sandbox(tmp_path, tables)


def test_hung_trial_is_killed_and_tried_again(place):
    settings = ["resources.hang_seconds=5", "stopping.max_epochs=100", "stopping.grace_epochs=100"]
    process = place.start(
        "run", "small.toml", "--max-concurrent", "1", *(f"--set={s}" for s in settings)
    )
    place.wait_for_epochs(3)
    workers = family(process, *TRIAL)
    assert workers
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    place.check(2)
    failures = [event for event in place.events() if event.event == "failure"]
    assert [failure.kind for failure in failures] == ["hung"]


@pytest.mark.parametrize(
    ("victim", "name"),
    [
        ("gcs/gcs_server", "GCS"),
        pytest.param("raylet/raylet", "raylet", marks=pytest.mark.thorough),
    ],
)
def test_ray_dies_and_the_driver_says_so(place, victim, name):
    process = place.start("run", "small.toml")
    place.wait_for_epochs(3)
    victims = family(process, victim)
    assert len(victims) == 1
    victims[0].kill()
    _, err = process.communicate(timeout=90)
    assert process.returncode == 1, err
    assert name in err and "resume with: " in err and "-m search resume small" in err
    before = place.journal()
    place.run("resume", "small", "--time-budget", "10s")
    assert place.journal().startswith(before)


DEAF = """
import search.driver.signals as signals
signals.PATIENCE_SECONDS = 3600.0
signals.Interrupter.check = lambda self: setattr(self, "_asked", True)
"""


def test_a_second_signal_ends_a_driver_that_heeds_no_first(place):
    (place.root / "deaf").mkdir()
    (place.root / "deaf" / "sitecustomize.py").write_text(DEAF)
    place.code.insert(0, place.root / "deaf")
    longer = ["--set", "stopping.max_epochs=2000", "--set", "stopping.grace_epochs=2000"]
    process = place.start("run", "small.toml", *longer)
    place.wait_for_epochs(1)
    process.send_signal(signal.SIGINT)
    place.wait_for_epochs(place.journal().count(b'"event":"epoch"') + 20)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_trials_that_all_fail_alike_end_the_study(tmp_path, tables):
    """Of words that no table has; a file that is no array is told before any trial."""
    tables["search"]["trials"] = 50
    place = Sandbox(tmp_path, tables)
    corpus = prepare(DataSpec(**tables["data"]), Cache(tmp_path / "cache"))
    file = corpus.path / "train" / "ids.npy"
    ids = np.load(file)
    file.write_bytes(b"junk")
    _, err = place.run("run", "small.toml", code=2)
    assert "part 'train' of corpus" in err and "damaged" in err and not place.study.exists()
    np.save(file, ids + 1_000_000)
    _, err = place.run("run", "small.toml", code=3)
    assert "first trials have all failed" in err and "out of range" in err
    rows = place.trials()
    assert 5 <= len(rows) <= 8
    assert "out of range" in rows[0]["reason"]
    failure = next(event for event in place.events() if event.event == "failure")
    assert failure.kind == "exception" and "trainer.py" in failure.detail
    out, _ = place.run("status", "small")
    assert "failed: " in out and "out of range" in out


def test_running_out_of_memory_is_retried_once(place):
    """Ray's own memory monitor, told that one hundredth of this machine is too much."""
    place.environment |= {
        "RAY_memory_usage_threshold": "0.01",
        "RAY_memory_monitor_refresh_ms": "100",
    }
    _, err = place.run("run", "small.toml", code=3)
    kinds = [event.kind for event in place.events() if event.event == "failure"]
    assert kinds == ["memory"] * 4, err
    assert all(row["state"] == "failed" and row["attempts"] == 2 for row in place.trials())
