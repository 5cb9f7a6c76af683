"""A study carried to its end: seeds, one opening of the test part, one figure, one model."""

import json
import os
import random
import signal
import subprocess
import time

import numpy as np
import psutil
import pytest

from tests.cli_sandbox import Sandbox, family
from tests.finished_study import train_study
from tests.reviews import write_reviews
from trainables.serving import load_model
from trainables.storage import Cache

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
#: Each takes up to twelve seconds.
KILLS = min(10, int(os.environ.get("SEQTUNE_KILLS", "2")))


@pytest.fixture
def place(tmp_path, tables) -> Sandbox:
    """A study of four trials whose best is clearly better than its baseline."""
    write_reviews(tmp_path / "reviews.csv", rows=400)
    tables["search"] = {"trials": 4, "sampler": "random", "seed": 3}
    tables["space"] = {"hidden_size": [4, 8], "learning_rate": {"low": 1e-5, "high": 0.1}}
    tables["first"] = [{"hidden_size": 8, "learning_rate": 0.05}]
    tables["baseline"] = {"embedding_dim": 8, "batch_size": 16, "learning_rate": 1e-5}
    tables["stopping"] = {"max_epochs": 3, "grace_epochs": 3}
    tables["resources"] = {"precision": "float32", "cpus_per_trial": 1}
    sandbox = Sandbox(tmp_path, tables)
    train_study(tmp_path / "results" / "small", tables, Cache(tmp_path / "cache"))
    return sandbox


COMMAND = ("finalize", "small", "--top", "2", "--seeds", "2", "--max-concurrent", "1")


def final(place: Sandbox) -> dict:
    return json.loads((place.study.root / "final.json").read_text())


def openings(place: Sandbox) -> list[str]:
    path = place.study.root / "openings.jsonl"
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


def test_one_figure_one_model_and_one_opening(place):
    out, _ = place.run(*COMMAND)
    result = final(place)
    assert {"metric", "winner", "baseline", "gain", "verdict", "test_opened"} <= result.keys()
    assert result["metric"] == "test/accuracy" and result["texts"] == 40
    assert (result["test_opened"], openings(place)) == (1, ["opened", "result"])
    assert result["baseline"]["trial"] is None
    for role in ("winner", "baseline"):
        row = result[role]
        assert len(row["seeds"]) == len(set(row["seeds"])) == len(row["test"]) == 2
        assert row["ci95"][0] <= row["mean"] <= row["ci95"][1]
        assert np.mean(row["test"]) == pytest.approx(row["mean"])
        scores = row["scores"]
        assert scores["figures"]["accuracy"]["value"] == pytest.approx(row["test"][0])
        assert [one["name"] for one in scores["classes"]] == ["bad", "good"]
        assert sum(one["texts"] for one in scores["reliability"]) == 40
        assert 0 <= row["ensemble"] <= 1 and 0 <= scores["ece"] <= 1
    assert result["gain"]["ci95"][0] > 0 and "better than the baseline by " in result["verdict"]
    assert result["verdict"] in out and f"model: {place.study.root / 'model'}" in out
    model = load_model(place.study.root / "model")
    about = json.loads((place.study.root / "model" / "metrics.json").read_text())
    assert about["part"] == "test" and about["provenance"]["study"] == "small"
    assert about["metrics"]["test/accuracy"] == pytest.approx(result["winner"]["test"][0])
    assert about["over_seeds"]["mean"] == result["winner"]["mean"]
    assert "the first of 2 seeds" in (place.study.root / "model" / "README.md").read_text()
    assert model.predict(["a warm and funny film"])[0].label == "good"
    said = json.loads(place.run("predict", "small", "a dull mess", "--format", "json")[0])
    assert said["label"] == "bad"
    _, err = place.run(*COMMAND, code=2)
    assert "the test part was opened before" in err and "--force" in err
    assert str(place.study.root / "final.json") in err
    _, err = place.run("finalize", "small", "--top", "2", "--seeds", "3", "--force", code=2)
    assert "began with --top 2 --seeds 2" in err
    report = (place.study.root / "report.md").read_text()
    assert "## On the test part" in report and "etter than the baseline by " in report

    # Explained later: nothing is opened, and the steps add up to what the seeds show.
    out, _ = place.run("finalize", "small", "--explain", "--max-concurrent", "2")
    assert openings(place) == ["opened", "result"]
    explained = final(place)
    path = explained.pop("path")
    assert explained == result
    changed = [name for step in path for name in step["changed"]]
    assert sorted(changed) == sorted(set(changed)) and "learning_rate" in changed
    whole = np.mean(result["winner"]["validation"]) - np.mean(result["baseline"]["validation"])
    assert sum(step["gain"]["mean"] for step in path) == pytest.approx(whole)
    assert all(len(step["validation"]) == 2 for step in path)
    assert "gain in accuracy on the way from the baseline to the winner" in out
    assert "  learning_rate = 0.05" in out

    before = result
    (place.study.root / "final.json").unlink()  # as if killed before it was written
    place.run(*COMMAND)
    assert final(place) == {**result, "path": path}
    place.run(*COMMAND, "--force")
    assert openings(place) == ["opened", "result"] * 2
    again = final(place)
    assert again["test_opened"] == 2
    assert again["winner"] == before["winner"] and again["gain"] == before["gain"]


@pytest.mark.thorough
def test_killed_at_any_moment_it_opens_once_and_says_the_same(place, tmp_path):
    twin = tmp_path / "twin"
    twin.mkdir()
    for name in ("results", "cache"):
        subprocess.run(["cp", "-r", str(tmp_path / name), str(twin)], check=True)
    rng = random.Random(int.from_bytes(os.urandom(4), "big"))
    killed, orphans = 0, list[psutil.Process]()
    while killed < KILLS:
        process = place.start(*COMMAND)
        if not killed:  # one that comes while the candidates train
            _wait_for(place.study.root / "final" / "contest" / "journal.jsonl", b'"event":"epoch"')
        try:
            process.communicate(timeout=rng.uniform(0.0, 12.0))
            break
        except subprocess.TimeoutExpired:
            orphans += family(process)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
    if not (place.study.root / "final.json").exists():
        place.run(*COMMAND)
    assert openings(place) == ["opened", "result"]
    other = Sandbox(twin, {"name": "unused"})
    other.environment |= {"SEQTUNE_CACHE": str(twin / "cache")}
    other.run(*COMMAND)
    assert final(place) == final(other)
    _, alive = psutil.wait_procs(orphans, timeout=120)
    assert not alive, "a process outlived its driver by two minutes"


def test_other_data_in_its_place_is_refused_before_anything_trains(place, tmp_path):
    write_reviews(tmp_path / "reviews.csv", rows=420)
    _, err = place.run(*COMMAND, code=2)
    assert "the data of study 'small' has changed since it was searched" in err
    assert not (place.study.root / "openings.jsonl").exists()
    assert not (place.study.root / "final").exists()


def _wait_for(path, word: bytes) -> None:
    deadline = time.monotonic() + 120
    while not path.exists() or word not in path.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_interruption_says_how_to_go_on(place):
    process = place.start(*COMMAND)
    _wait_for(place.study.root / "final" / "contest" / "journal.jsonl", b'"event":"epoch"')
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with:" in err and "finalize small --top 2 --seeds 2" in err
    assert not (place.study.root / "final.json").exists()
