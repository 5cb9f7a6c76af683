"""What changes around a study while it runs or rests: clock, code, data, files, secrets near it."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from search.journal.events import EpochDone
from tests.cli_sandbox import Sandbox
from tests.reviews import write_reviews

pytestmark = pytest.mark.slow

JUMPING_CLOCK = """
import os, time
_true = time.time
def _jumping():
    try:
        with open(os.environ["CLOCK_OFFSET"]) as file:
            return _true() + float(file.read() or 0)
    except OSError:
        return _true()
time.time = _jumping
"""


@pytest.fixture
def place(tmp_path, tables):
    tables["search"]["trials"] = 3
    return Sandbox(tmp_path, tables)


def interrupted(place: Sandbox, epochs: int = 2) -> None:
    """A study that was stopped while its trials were under way."""
    long = ["--set", "stopping.max_epochs=20", "--set", "stopping.grace_epochs=20"]
    process = place.start("run", "small.toml", "--max-concurrent", "2", *long)
    place.wait_for_epochs(epochs)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143


def test_clock_that_jumps_disturbs_nothing(place):
    """Two days back, then four ahead, in the driver, in Ray and in the trials."""
    (place.root / "clock").mkdir()
    (place.root / "clock" / "sitecustomize.py").write_text(JUMPING_CLOCK)
    offset = place.root / "offset"
    place.environment["CLOCK_OFFSET"] = str(offset)
    place.code.insert(0, place.root / "clock")
    longer = ["--set", "stopping.max_epochs=60", "--set", "stopping.grace_epochs=60"]
    process = place.start("run", "small.toml", "--time-budget", "30m", *longer)
    for epochs, jump in ((2, -2 * 86400), (20, 2 * 86400)):
        place.wait_for_epochs(epochs)
        offset.write_text(str(jump))
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    place.check(3)
    assert not [e for e in place.events() if e.event == "failure"]
    done = [e for e in place.events() if isinstance(e, EpochDone)]
    assert len(done) == 180 and all(0 <= e.seconds < 100 for e in done)


def test_half_a_study_file_changed_code_and_other_data(place):
    """The journal holds the whole study: its file is made anew. Other code is told by file; other
    data is refused, and when forced, what came before is kept and not compared."""
    interrupted(place)
    whole = place.study.spec.read_text()
    place.study.spec.write_text(whole[: len(whole) // 2])
    copy = place.root / "code"
    for package in ("search", "trainables", "cluster"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(place.code[-1] / package, copy / package, ignore=ignored)
    with (copy / "trainables" / "networks" / "encoders.py").open("a") as file:
        file.write("# another hand was here\n")
    place.code = [copy]
    _, err = place.run("resume", "small", "--max-concurrent", "2")
    place.check(3)
    assert place.study.spec.read_text() == whole
    assert "changed since the last session: trainables/networks/encoders.py: " in err
    assert "trainables/trial.py" not in err

    other_data_is_refused_unless_forced(place)


def other_data_is_refused_unless_forced(place: Sandbox) -> None:
    old = len(place.trials())
    write_reviews(place.root / "other.csv", seed=1)
    (place.root / "reviews.csv").unlink()
    before = place.journal()
    other = ("--data", "other.csv")
    _, err = place.run("resume", "small", "--trials", "5", *other, code=2)
    assert "has changed since it began" in err and "--force" in err
    assert place.journal() == before
    _, err = place.run("resume", "small", "--force", "--trials", "5", *other)
    place.check(5)
    assert "changed since the last session: data: " in err
    assert str(place.root / "other.csv") in place.study.spec.read_text()
    rows = place.trials()
    assert [row["value"] is not None for row in rows[:old]] == [True] * old
    assert json.loads(place.run("best", "small", "--format", "json")[0])["number"] >= old
    assert f"{old} trials over other data are not compared" in place.study.report.read_text()


def scripts_beside_the_data(folder: Path) -> Path:
    """Puts reviews and hostile scripts into a folder; returns the file that no script may make."""
    folder.mkdir()
    write_reviews(folder / "reviews.csv")
    marker = folder / "it-ran"
    for name in ("evil.py", "csv.py", "dataset.py"):
        (folder / name).write_text(f"open({str(marker)!r}, 'w')\n")
    return marker


def test_neither_secrets_are_written_nor_scripts_run(place):
    """Neither tokens of the environment nor a password in what is asked for leave a trace. A folder
    that looks like a data set with a loading script: its rows are read, its code is not."""
    tokens = {"HF_TOKEN": "hf_sEcReT1", "AWS_SECRET_ACCESS_KEY": "sEcReT2"}
    place.environment |= tokens | {"OPTUNA_STORAGE": "postgresql://me:sEcReT3@db/x"}
    marker = scripts_beside_the_data(place.root / "evil")
    out, err = place.run("run", "small.toml", "--data", "evil")
    url = "https://me:sEcReT4@example.org/reviews.csv?token=sEcReT5"
    _, refused = place.run("run", "small.toml", "--name", "other", "--data", url, code=2)
    assert "download" in refused
    told = out + err + refused + "".join(place.run("status", "small"))
    written = b"".join(p.read_bytes() for p in place.study.root.rglob("*") if p.is_file())
    assert "sEcReT" not in told and b"sEcReT" not in written
    for private in (place.study.spec, place.study.journal, place.study.report):
        assert private.stat().st_mode & 0o077 == 0
    (place.root / "evil" / "reviews.csv").unlink()
    _, err = place.run("run", "small.toml", "--name", "other", "--data", "evil", code=2)
    assert "holds no" in err and not marker.exists()


def test_diverging_trials_among_healthy_ones(tmp_path, tables):
    """With this decay and rate the weights grow tenfold a step until they overflow."""
    tables["fixed"] = {"optimizer": "sgd", "clip_norm": 0.0, "learning_rate": 10.0}
    tables["fixed"] |= {"batch_size": 4}
    tables["space"] = {"hidden_size": [4, 8], "weight_decay": [0.0, 1.0], "embedding_dim": [4, 8]}
    tables["stopping"]["grace_epochs"] = 4
    tables["first"] = [{"weight_decay": 1.0}, {"weight_decay": 0.0}, {"weight_decay": 1.0}]
    place = Sandbox(tmp_path, tables)
    place.run("run", "small.toml", "--trials", "5")
    place.check(5)
    rows = place.trials()
    for row in rows:
        diverges = row["params"]["weight_decay"] == 1.0
        assert (row["state"] == "failed") == diverges, row
    assert "not finite" in rows[0]["reason"] and rows[0]["attempts"] == 1
    out, _ = place.run("status", "small")
    assert "not finite" in out


def test_files_that_lie_about_run_nowhere(place):
    """A downloaded folder may hold a ``torch.py``; the search starts in it."""
    for name in ("torch", "tokenizers", "trainables", "pydantic", "numpy", "ray", "safetensors"):
        ran = place.root / f"ran-{name}"
        (place.root / f"{name}.py").write_text(f"open({str(ran)!r}, 'w'); raise SystemExit(9)")
    # As the installed command: ``python -m`` itself takes what lies about.
    program = "import sys; sys.path.remove(''); from search.cli.main import main; main()"
    process = subprocess.run(
        [sys.executable, "-c", program, "run", "small.toml", "--trials", "2"],
        cwd=place.root,
        env=place.environment | {"PYTHONPATH": str(place.code[0])},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert process.returncode == 0, process.stderr
    place.check(2)
    assert list(place.root.glob("ran-*")) == []
    private = [path for path in place.study.root.iterdir() if path.name in ("checkpoints", "logs")]
    assert [path.stat().st_mode & 0o777 for path in private] == [0o700, 0o700]
