"""The package as users install it: a wheel, away from this folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, because a build leaves its own folders behind."""
    place = tmp_path_factory.mktemp("wheel")
    copy = "git ls-files -z | xargs -0 cp --parents -t"
    subprocess.run(f"{copy} {place}", shell=True, cwd=ROOT, check=True)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "."]
    subprocess.run([*build, "-w", place / "built"], cwd=place, check=True)
    (found,) = (place / "built").glob("*.whl")
    return found


@pytest.mark.slow
def test_a_wheel_holds_what_it_needs_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ("search/spec/studies/imdb.toml", "trainables/kernels/recurrence.cpp"):
        assert wanted in names
    assert "trainables/kernels/simd.h" in names
    assert any(name.endswith("LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "results/"))]


@pytest.mark.slow
def test_an_installed_wheel_searches_away_from_here(wheel, tmp_path):
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel]
    subprocess.run(install, check=True)
    environment = os.environ | {"PYTHONPATH": str(site), "SEQTUNE_CACHE": str(tmp_path / "cache")}
    where = "import search.spec.study as s, trainables as t; print(s.__file__, t.__path__[0])"
    found = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert all(path.startswith(str(site)) for path in found.stdout.split()), found
    small = ["--trials", "1", "--set", "data.limit=600", "--set", "stopping.max_epochs=1"]
    small += ["--set", "stopping.grace_epochs=1"]
    done = subprocess.run(
        [site / "bin" / "seqtune", "run", "rotten-tomatoes", *small],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "best trial 0: val/accuracy" in done.stdout
    assert (tmp_path / "results" / "rotten-tomatoes" / "report.md").exists()
