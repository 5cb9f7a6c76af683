"""A folder of one process, which the next one removes if this one could not."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from cluster.errors import ClusterError
from cluster.own_folder import own_folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    return tmp_path


def test_nobody_else_may_enter_and_it_goes_at_the_end(place):
    with own_folder("a-") as folder:
        assert folder.parent == place and folder.stat().st_mode & 0o777 == 0o700
        with own_folder("a-") as other:
            assert other != folder
        assert folder.exists() and not other.exists()
    assert not list(place.iterdir())


@pytest.mark.parametrize("stays", [False, True])
def test_after_an_error_it_may_stay_until_the_next(place, stays):
    with pytest.raises(ZeroDivisionError), own_folder("a-", stays_after_errors=stays):
        raise ZeroDivisionError
    assert len(list(place.iterdir())) == stays
    with own_folder("b-"):
        assert len(list(place.glob("a-*"))) == stays
    with own_folder("a-") as folder:
        assert list(place.iterdir()) == [folder]


def test_that_of_a_killed_process_goes_with_the_next_and_a_foreign_one_stays(place):
    (place / "a-foreign").mkdir()
    (place / "a-foreign" / "file").touch()
    code = (
        "import os; from cluster.own_folder import own_folder\nwith own_folder('a-'): os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False)
    assert done.returncode == 9 and len(list(place.iterdir())) == 2
    with own_folder("a-") as folder:
        assert sorted(place.iterdir()) == sorted([folder, place / "a-foreign"])


def test_where_none_can_be_made_the_remedy_is_named(place, monkeypatch):
    (place / "file").touch()
    monkeypatch.setenv("RAY_TMPDIR", str(place / "file" / "x"))
    with pytest.raises(ClusterError, match="RAY_TMPDIR names another"), own_folder("a-"):
        pass


def test_a_sweep_that_comes_between_takes_no_folder_that_is_used(place, monkeypatch):
    """Between the making of a folder and its lock, another process may find nobody in it."""
    real, swept = fcntl.flock, list[Path]()

    def flock(file: IO[str], how: int) -> None:
        if not swept:
            swept.append(Path(file.name).parent)
            shutil.rmtree(swept[0])
        real(file, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with own_folder("a-") as folder:
        assert folder.is_dir() and folder != swept[0]


def test_one_that_was_killed_as_it_was_made_or_removed_goes_too(place):
    (place / "a-empty").mkdir()
    with own_folder("a-") as folder:
        assert list(place.iterdir()) == [folder]
        (folder / "sub").mkdir()
        (folder / "sub" / "file").touch()
    assert not list(place.iterdir())
