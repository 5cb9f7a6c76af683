"""What is made ready before the test part is opened."""

import re

import pytest

from search.final.candidates import Candidate
from search.final.judging import Finalist, load_contenders
from search.journal.load import load_state
from tests.finished_study import train_study
from trainables.errors import CheckpointError, DataError
from trainables.storage import Cache

pytestmark = pytest.mark.slow


@pytest.fixture
def finalist(tmp_path, tables, monkeypatch) -> Finalist:
    """Two seeds of one configuration, each trained for one epoch."""
    monkeypatch.setenv("SEQTUNE_CACHE", str(tmp_path / "cache"))
    tables["search"] = {"trials": 2, "sampler": "random", "seed": 3}
    tables["stopping"] = {"max_epochs": 1, "grace_epochs": 1}
    tables["resources"] = {"precision": "float32"}
    folder = train_study(tmp_path / "winner", tables, Cache(tmp_path / "cache"))
    candidate = Candidate(trial=0, params={})
    return Finalist("winner", candidate, [0.9, 0.9], 1, folder, load_state(folder))


def test_a_model_a_seed_is_loaded_once(finalist, tmp_path):
    ours, theirs = load_contenders([finalist, finalist], tmp_path / "model")
    assert ours is theirs and len(ours.models) == 2
    assert not (tmp_path / "model").exists()  # it says what the test part does


@pytest.mark.parametrize("place", ["model", "winner/models/trial-0001"])
def test_what_is_in_the_way_of_a_model_is_told(finalist, tmp_path, place):
    (tmp_path / place).mkdir(parents=True)
    stray = tmp_path / place / ".DS_Store"
    stray.touch()
    with pytest.raises(DataError, match=rf"{re.escape(str(stray))} is there.*: move it away, and"):
        load_contenders([finalist, finalist], tmp_path / "model")


def test_a_checkpoint_that_is_gone_is_told_with_what_makes_it_anew(finalist, tmp_path):
    for path in finalist.folder.checkpoints.rglob("*.safetensors"):
        path.unlink()
    remedy = f"train the seeds again, remove {re.escape(str(tmp_path / 'winner'))} and call"
    with pytest.raises(CheckpointError, match=rf"is gone.*stays closed: to {remedy}"):
        load_contenders([finalist, finalist], tmp_path / "model")
