import os
import subprocess
import sys
import time

import pytest

from search.errors import SpecError, StudyExists, StudyLocked, StudyNotFound
from search.journal.folder import StudyDir, create_study_dir, open_study_dir
from search.spec.names import check_name


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc", "", ".", "..", ".x", "a..b", "x\0", "é"])
def test_names_that_climb_out_are_refused(name, tmp_path):
    with pytest.raises(SpecError, match="study name"):
        check_name(name)
    with pytest.raises(SpecError):
        create_study_dir(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_existing_study_and_results_that_cannot_be_written(tmp_path):
    study = create_study_dir(tmp_path, "a")
    create_study_dir(tmp_path, "a")  # begun by nobody yet
    study.journal.write_text("{}\n")
    with pytest.raises(StudyExists, match="seqtune resume a"):
        create_study_dir(tmp_path, "a")
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="cannot write to the results folder"):
        create_study_dir(tmp_path / "file", "a")


def test_a_study_may_lie_elsewhere_but_a_new_one_is_not_begun_there(tmp_path):
    outside = StudyDir(tmp_path / "outside")
    outside.root.mkdir()
    outside.journal.write_text("{}\n")
    results = tmp_path / "results"
    results.mkdir()
    (results / "a").symlink_to(outside.root)
    assert open_study_dir(results, "a").name == "a"
    (results / "b").symlink_to(tmp_path / "nowhere")
    for name in ("a", "b"):
        with pytest.raises(StudyExists):
            create_study_dir(results, name)


def test_one_owner_at_a_time_and_a_dead_one_lets_go(tmp_path):
    study = create_study_dir(tmp_path, "a")
    assert study.running_driver() is None
    script = (
        "import sys,time; from search.journal.folder import StudyDir; from pathlib import Path\n"
        f"with StudyDir(Path({str(study.root)!r})).locked(): print('held', flush=True);"
        " time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        owner = study.running_driver()
        assert owner is not None and owner.pid == process.pid
        with pytest.raises(StudyLocked, match=f"process {process.pid} on"), study.locked():
            pass
        process.kill()
    with study.locked():
        assert study.running_driver().pid == os.getpid()
    assert study.running_driver() is None


def test_unknown_study_names_the_known(tmp_path):
    with pytest.raises(StudyNotFound, match="there are none"):
        open_study_dir(tmp_path, "a")
    study = create_study_dir(tmp_path, "known")
    study.journal.write_text("{}\n")
    with pytest.raises(StudyNotFound, match="known"):
        open_study_dir(tmp_path, "a")


def test_a_name_is_free_again_where_the_disk_was_full_at_the_first_line(tmp_path):
    """What Ray said stays: it may tell why."""
    study = create_study_dir(tmp_path, "a")
    study.logs.mkdir()
    study.ray_log.write_text("Ray said something")
    with study.locked():
        study.journal.write_bytes(b'{"seq":0,"ti')
    assert [path.name for path in study.root.iterdir()] == ["logs"]
    for name, age in ((".report.md.ab.writing", 5), (".journal.jsonl.ab.writing", 5000)):
        (study.root / name).touch()
        os.utime(study.root / name, (time.time() - age,) * 2)
    with study.locked():
        left = {path.name for path in study.root.iterdir()}
        assert left == {"lock", "logs", ".report.md.ab.writing"}, "one is being written"
    (study.root / ".report.md.ab.writing").unlink()
    assert create_study_dir(tmp_path, "a").root == study.root
