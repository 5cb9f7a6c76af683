"""A search from Python: calls that return, raise, and leave the process as it was."""

import signal
import subprocess
import sys
import textwrap

import pytest

import search
from search.errors import SpecError, StudyNotFound
from tests.cli_sandbox import Sandbox, family, listening_addresses
from tests.study_harness import StudyHarness


@pytest.fixture
def place(tmp_path, tables) -> Sandbox:
    return Sandbox(tmp_path, tables)


def start(place: Sandbox, script: str) -> subprocess.Popen[str]:
    path = place.root / "script.py"
    path.write_text(textwrap.dedent(script))
    return subprocess.Popen(
        [sys.executable, str(path)],
        cwd=place.root,
        env=place.environment | {"PYTHONPATH": str(place.code[0])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


LONG = """
    import signal, search
    from search.errors import StudyFailed
    # Where the tests run in the background, a shell has them ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if __name__ == "__main__":
        settings = {"stopping.max_epochs": 250, "stopping.grace_epochs": 250}
        try:
            search.run("small.toml", trials=2, settings=settings)
        except (KeyboardInterrupt, StudyFailed) as error:
            print(type(error).__name__, error, len(search.load("small").trials))
"""


@pytest.mark.slow
def test_run_resume_load_and_trials(place):
    process = start(
        place,
        """
        import signal, tomllib, search
        if __name__ == "__main__":
            before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
            tables = tomllib.load(open("small.toml", "rb"))
            outcome = search.run(tables, trials=2, name="mine", settings={"stopping.max_epochs": 2})
            assert (outcome.reason, outcome.state.trials.ended) == ("finished", 2)
            assert outcome.folder.report.exists()
            spent = search.resume("mine", trials=900, max_concurrent=1, time_budget=3)
            assert (spent.reason, spent.exit_code) == ("time budget spent", 0)
            best = spent.state.best()
            assert best.value == search.load("mine").best().value
            frame = search.trials("mine")
            assert list(frame.index[:2]) == [0, 1] and set(frame["hidden_size"]) <= {4, 8}
            assert frame.loc[best.trial.number, "value"] == best.value
            after = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
            assert before == after
            print("whole")
        """,
    )
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0 and out == "whole\n", err


@pytest.mark.slow
def test_an_interrupt_is_raised_and_the_study_resumes(place):
    process = start(place, LONG)
    place.wait_for_epochs(5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and out.startswith("KeyboardInterrupt"), err
    before = place.journal()
    place.run("resume", "small")
    place.check(2)
    assert place.journal().startswith(before)


@pytest.mark.slow
def test_ray_may_have_been_imported_before_and_its_nodes_death_raises(place):
    """As in many a notebook: its connections carry a token all the same, and stay on loopback."""
    longest = textwrap.dedent(LONG).replace("250", "5000")  # nobody waits for its end
    process = start(place, "import ray, ray.tune\n" + longest)
    place.wait_for_epochs(2)
    assert listening_addresses(process) <= {"127.0.0.1", "::1"}
    for found in family(process, "raylet/raylet"):
        found.kill()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "StudyFailed this machine's raylet is gone" in out


def test_what_is_wrong_is_raised(tmp_path, tables):
    with pytest.raises(SpecError, match="no hyperparameter 'hiden_size'"):
        search.run(tables, results_dir=tmp_path / "r", settings={"fixed.hiden_size": 3})
    with pytest.raises(TypeError, match="trails"):
        search.run(tables, trails=3)
    with pytest.raises(StudyNotFound, match="there are none yet"):
        search.load("small", results_dir=tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_trials_without_a_driver(tmp_path, tables):
    folder = tmp_path / "r" / "small"
    folder.mkdir(parents=True)
    harness = StudyHarness(folder, tables)
    assert len(search.trials("small", results_dir=tmp_path / "r")) == 0
    harness.report(harness.begin(), 1, 0.75)
    frame = search.trials("small", results_dir=tmp_path / "r")
    assert frame.loc[0, "value"] == 0.75 and frame.loc[0, "state"] == "interrupted"
