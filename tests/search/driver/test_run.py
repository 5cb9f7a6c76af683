"""Whole searches through the command line, on real Ray: killed, stopped, resumed, extended."""

import json
import os
import shutil
import signal
import time

import pytest
import tomli_w

from search.journal.events import EpochDone
from tests.cli_sandbox import TRIAL, Sandbox, family, listening_addresses, whole_lines
from trainables.core.checkpoint import read_checkpoint
from trainables.data.corpus import prepare
from trainables.data.spec import DataSpec
from trainables.embeddings.lookup import words_of
from trainables.storage import Cache

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path, tables):
    return Sandbox(tmp_path, tables)


def test_search_with_the_test_part_gone(place, tables):
    """A search runs to its end while the test part is not there to be read."""
    corpus = prepare(DataSpec(**tables["data"]), Cache(place.root / "cache"))
    shutil.rmtree(corpus.path / "test")
    out, err = place.run("run", "small.toml", "--max-concurrent", "2")
    place.check(6)
    assert "best trial" in out and "report: results/small/report.md" in out
    assert len(out.splitlines()) == 2, "data only on stdout"
    assert "trial 0 epoch 1/4" in err
    assert (place.root / "results/small/report.md").exists()
    assert {row["state"] for row in place.trials()} <= {"completed", "pruned"}
    before = place.journal()
    place.run("resume", "small", "--trials", "7")
    place.check(7)
    assert place.journal().startswith(before)


def test_vectors_reach_the_trials(place, tables):
    """Frozen GloVe vectors stand in the checkpoint as they stand in the file."""
    corpus = prepare(DataSpec(**tables["data"]), Cache(place.root / "cache"))
    (place.root / "tiny.txt").write_text("warm 1 2 3\ndull 4 5 6\n")
    other = dict(tables, name="glove", fixed={"embedding": "glove", "freeze_embedding": True})
    other["embeddings"] = {"glove": str(place.root / "tiny.txt")}
    (place.root / "glove.toml").write_text(tomli_w.dumps(other))
    _, err = place.run("run", "glove.toml", "--trials", "1")
    assert "glove: 3 numbers a word" in err
    row = json.loads(place.run("trials", "glove", "--format", "json")[0])[0]
    tensors, _ = read_checkpoint(place.root / "results/glove" / row["checkpoint"])
    weight_VE = tensors["model.embedding.weight"]
    assert weight_VE.shape == (corpus.vocabulary, 3)
    for word, vector in (("warm", [1, 2, 3]), ("dull", [4, 5, 6])):
        assert weight_VE[words_of(corpus).index(word)].tolist() == vector


def test_killed_and_resumed_equals_uninterrupted(place, tables):
    """One trial at a time: parameters, values, decisions and weights are the same to the bit."""
    other = dict(tables, name="whole")
    (place.root / "whole.toml").write_text(tomli_w.dumps(other))
    # A precision that is measured may come out differently where something else keeps a core busy.
    alike = ["--max-concurrent", "1", "--set", "resources.precision=float32"]
    place.run("run", "whole.toml", *alike)
    kills = 0
    process = place.start("run", "small.toml", *alike)
    for epochs in (1, 4):
        place.wait_for_epochs(epochs)
        before = place.journal()
        process.kill()
        process.communicate()
        kills += 1
        assert json.loads(place.run("status", "small", "--format", "json")[0])["state"] == (
            "interrupted"
        )
        process = place.start("resume", "small", "--max-concurrent", "1")
        time.sleep(0.5)
        assert place.journal().startswith(whole_lines(before))
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    place.check(6)
    rows = place.trials()
    whole = json.loads(place.run("trials", "whole", "--format", "json")[0])
    for one, two in zip(rows, whole, strict=True):
        for key in ("number", "state", "value", "epoch", "best_epoch", "params", "reason"):
            assert one[key] == two[key], key
        weights = [
            read_checkpoint(place.root / "results" / name / row["checkpoint"])[0]
            for name, row in (("small", one), ("whole", two))
        ]
        assert weights[0].keys() == weights[1].keys()
        for name, tensor in weights[0].items():
            assert tensor.equal(weights[1][name]), name
    assert kills == 2 and max(row["attempts"] for row in rows) > 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_saves_and_says_how_to_go_on(place, number, code):
    process = place.start("run", "small.toml", "--set", "stopping.max_epochs=2000")
    place.wait_for_epochs(3)
    os.killpg(process.pid, number)  # as a terminal does: to the whole group
    _, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert "resume with: " in err and "-m search resume small" in err
    assert place.study.running_driver() is None
    row = json.loads(place.run("status", "small", "--format", "json")[0])
    assert row["state"] == "interrupted" and row["counts"].get("running") is None


def test_nothing_listens_beyond_this_machine(place):
    process = place.start("run", "small.toml", "--set", "stopping.max_epochs=2000")
    place.wait_for_epochs(1)
    listening = listening_addresses(process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert listening <= {"127.0.0.1", "::1"}


def test_time_budget_ends_well_and_stop_works(place):
    arguments = ["--set", "stopping.max_epochs=2000", "--time-budget", "10s"]
    _, err = place.run("run", "small.toml", *arguments)
    assert "time budget spent" in err and "-m search resume small" in err
    epochs = sum(isinstance(event, EpochDone) for event in place.events())
    process = place.start("resume", "small")
    place.wait_for_epochs(epochs + 2)
    place.run("resume", "small", code=2)  # a second driver is refused
    place.run("stop", "small")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 143


def test_lost_worker_is_replaced(place):
    process = place.start("run", "small.toml", "--max-concurrent", "1")
    place.wait_for_epochs(2)
    workers = family(process, *TRIAL)
    assert workers
    for worker in workers:
        worker.kill()
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    place.check(6)
    failures = [event for event in place.events() if event.event == "failure"]
    assert failures and failures[0].kind == "lost"
    assert sum(row["failures"] for row in place.trials()) == len(failures)


OWN_TASK = """
from dataclasses import replace

from trainables.tasks.text_regression import TextRegression

class Stars(TextRegression):
    declaration = replace(TextRegression.declaration, metrics={"val/within_one": "max"})

    def metrics(self, outputs_N1, targets_N):
        stars_N = outputs_N1[:, 0] * self.deviation + self.mean
        return {"within_one": float(((stars_N - targets_N).abs() <= 1).double().mean())}
"""


def test_task_of_ones_own_over_numbers(place):
    """A task in a file beside the study, its labels numbers, through the whole machinery."""
    (place.root / "my_task.py").write_text(OWN_TASK)
    rows = [f"{['nul', 'ein', 'zwei'][i % 3]} {i},{i % 3 + 0.5}" for i in range(140)]
    (place.root / "stars.csv").write_text("text,label\n" + "\n".join(rows))
    own = ["--set", "task=my_task:Stars", "--set", "metric=val/within_one", "--data", "stars.csv"]
    out, err = place.run("run", "small.toml", *own, "--trials", "2")
    place.check(2)
    assert "best trial" in out and "14 test texts, " in err
    assert set(place.trials()[0]["epochs"][0]["metrics"]) == {
        *("val/within_one", "train/loss", "train/learning_rate", "train/gradient_norm")
    }
