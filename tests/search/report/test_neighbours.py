"""Nearest words, in an embedding made for the test."""

import json
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from tokenizers import Tokenizer

from search.cli.main import main
from tests.study_harness import StudyHarness
from trainables.core.checkpoint import write_checkpoint
from trainables.data.corpus import open_corpus, prepare
from trainables.data.spec import DataSpec
from trainables.storage import Cache


@pytest.fixture
def study(tmp_path, tables, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQTUNE_CACHE", str(tmp_path / "cache"))
    cache = Cache(tmp_path / "cache")
    corpus = prepare(DataSpec(**tables["data"]), cache)
    corpus.path.rename(cache.corpus("k"))  # where the study's journal has it
    corpus = open_corpus(cache.corpus("k"))
    index_of = Tokenizer.from_file(str(corpus.tokenizer_file)).get_vocab()
    weights_VE = np.random.default_rng(0).normal(size=(len(index_of), 8)).astype(np.float32)
    weights_VE[index_of["funny"]] = 3 * weights_VE[index_of["warm"]]
    weights_VE[index_of["dull"]] = -weights_VE[index_of["warm"]]
    folder = tmp_path / "results" / "small"
    folder.mkdir(parents=True)
    harness = StudyHarness(folder, tables)
    harness.report(harness.begin(), 1, 0.9)
    path = folder / harness.study.state.trials[0].epochs[0].checkpoint.path
    write_checkpoint(path, {"model.embedding.weight": torch.from_numpy(weights_VE)}, {})
    return path


def run(*arguments: str):
    return CliRunner().invoke(main, ["neighbours", "small", *arguments])


def test_nearest_first_and_never_itself(study):
    rows = json.loads(run("Warm", "--count", "200", "--format", "json").stdout)
    assert rows[0] == {"word": "funny", "cosine": pytest.approx(1.0)}
    assert rows[-1] == {"word": "dull", "cosine": pytest.approx(-1.0)}
    assert "warm" not in {row["word"] for row in rows}
    assert len(json.loads(run("warm", "--format", "json").stdout)) == 10


def test_other_data_is_never_read_for_the_studys_own(study, tmp_path):
    corpus = Cache(tmp_path / "cache").corpus("k")
    rows = run("warm", "--format", "json").stdout
    with (tmp_path / "reviews.csv").open("a") as file:
        file.write("a warm and foreign word,good\n" * 50)
    assert run("warm", "--format", "json").stdout == rows
    shutil.rmtree(corpus)
    result = run("warm")
    assert result.exit_code == 2 and "has changed since" in result.stderr


def test_unknown_word_and_missing_checkpoint(study):
    result = run("warn")
    assert result.exit_code == 2 and "did you mean 'warm'" in result.stderr
    study.unlink()
    result = run("warm")
    assert result.exit_code == 1 and "no embedding to look at" in result.stderr
