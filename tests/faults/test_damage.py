"""The newest checkpoint is not what was written: the one before it is used, and told."""

import os
import pickle
from pathlib import Path

import pytest

from search.journal.events import EpochDone
from search.journal.layout import checkpoint_path
from tests.cli_sandbox import Sandbox

pytestmark = pytest.mark.slow

PICKLE_RAN = "pickle-ran"


class Hostile:
    """Leaves a mark wherever it is unpickled."""

    def __reduce__(self):
        return (open, (PICKLE_RAN, "w"))


def flip_last_byte(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def cut_in_half(path):
    os.truncate(path, path.stat().st_size // 2)


def replace_by_a_pickle(path):
    path.write_bytes(pickle.dumps(Hostile()))


@pytest.mark.parametrize(
    "damage",
    [
        replace_by_a_pickle,
        pytest.param(flip_last_byte, marks=pytest.mark.thorough),
        pytest.param(cut_in_half, marks=pytest.mark.thorough),
    ],
)
def test_damaged_checkpoint_falls_back_and_says_so(tmp_path, tables, damage):
    place = Sandbox(tmp_path, tables)
    long = ["--set", "stopping.max_epochs=60", "--set", "stopping.grace_epochs=60", "--trials", "2"]
    long += ["--set", "fixed.patience=60"]  # each epoch is answered: none waits for the next
    process = place.start("run", "small.toml", "--max-concurrent", "1", *long)
    place.wait_for_epochs(3)
    process.kill()
    process.communicate()
    last = [e for e in place.events() if isinstance(e, EpochDone)][-1]
    assert last.decision == "continue"
    path = place.study.root / checkpoint_path(last.trial, last.attempt, last.epoch)
    damage(path)
    _, err = place.run("resume", "small")
    place.check(2)
    assert not (place.root / PICKLE_RAN).exists() and not Path(PICKLE_RAN).exists()
    restored = [e for e in place.events() if e.event == "restored"]
    assert [e.epoch for e in restored] == [last.epoch - 1]
    assert "retraining from epoch" in err
