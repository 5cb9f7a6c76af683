"""A model of a user's own: one short file, searched with its own hyperparameters through Ray."""

import json
import shutil
from pathlib import Path

import pytest
import tomli_w

from tests.cli_sandbox import Sandbox
from tests.contracts.task import TextTaskContract
from trainables.tasks.registry import find_task

EXAMPLE = Path(__file__).parents[2] / "examples" / "temporal_cnn.py"


class TestTemporalCnn(TextTaskContract):
    small = {"embedding_dim": 8, "channels": 8, "levels": 2}

    @pytest.fixture
    def entry(self, monkeypatch):
        monkeypatch.syspath_prepend(str(EXAMPLE.parent))
        return find_task("temporal_cnn:TemporalConvolution")


def test_the_example_is_short():
    assert len(EXAMPLE.read_text().splitlines()) <= 60


@pytest.fixture
def place(tmp_path, tables) -> Sandbox:
    shutil.copy(EXAMPLE, tmp_path)
    tables |= {"task": "temporal_cnn:TemporalConvolution"}
    tables["space"] = {
        "channels": {"low": 8, "high": 32, "log": True},
        "activation": ["relu", "gelu"],
        "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
    }
    tables["fixed"] |= {"levels": 2}
    tables["first"] = [{"channels": 16, "activation": "gelu"}]
    tables["search"]["trials"] = 4
    return Sandbox(tmp_path, tables)


@pytest.mark.slow
def test_is_searched_resumed_and_read(place, tables):
    """Readers print it, and TensorBoard shows it, after the user's file is gone."""
    out, _ = place.run("run", "small.toml", "--dry-run")
    assert "'activation'" in out and "memory: at most" in out and "core-hours" in out
    place.run("run", "small.toml", "--trials", "2")
    epochs = ("--set", "stopping.max_epochs=90", "--set", "stopping.grace_epochs=90")
    longer = ["--trials", "4", *epochs]
    process = place.start("resume", "small", "--force", *longer)
    place.wait_for_epochs(40)
    process.kill()
    process.communicate()
    place.run("resume", "small", "--force", "--set", "stopping.max_epochs=100")
    place.check(4)
    rows = place.trials()
    assert rows[0]["params"]["channels"] == 16 and rows[0]["params"]["activation"] == "gelu"
    assert {row["params"]["activation"] for row in rows} <= {"relu", "gelu"}
    assert max(row["attempts"] for row in rows) > 1 and all(row["failures"] == 0 for row in rows)
    declared = json.loads(place.journal().splitlines()[0])["hyperparameters"]
    assert declared["channels"]["kind"] == "int" and declared["channels"]["maximum"] == 1024
    assert "hidden_size" not in declared
    (place.root / "temporal_cnn.py").unlink()
    for command in (["trials", "small"], ["best", "small"], ["status"], ["report", "small"]):
        place.run(*command)
    assert "| channels | " in (place.study.root / "report.md").read_text()
    _, err = place.run("resume", "small", "--trials", "5", code=2)
    assert "cannot import task 'temporal_cnn:TemporalConvolution'" in err


@pytest.mark.parametrize(
    ("section", "entry", "message"),
    [
        ("space", {"chanels": [8, 16]}, "did you mean 'channels'"),
        ("space", {"channels": {"low": 0, "high": 8}}, "greater than or equal to 1"),
        ("fixed", {"activation": "tanh"}, "'relu' or 'gelu'"),
        ("fixed", {"hidden_size": 8}, "no hyperparameter 'hidden_size'"),
    ],
)
def test_its_hyperparameters_are_checked(place, tables, monkeypatch, section, entry, message):
    from search.driver.plan import Options, new_study
    from search.errors import SpecError

    monkeypatch.chdir(place.root)
    tables["space"], tables["first"] = {"channels": [8, 16]}, []
    tables[section] |= entry
    (place.root / "other.toml").write_text(tomli_w.dumps(tables))
    with pytest.raises(SpecError, match=message):
        new_study("other.toml", Options())
