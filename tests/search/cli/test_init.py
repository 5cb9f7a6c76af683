"""``seqtune init``: what it finds, and that its file is a study that can be searched."""

import pytest

from search.spec.study import read_toml
from tests.cli_sandbox import invoke
from tests.reviews import write_reviews


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQTUNE_CACHE", str(tmp_path / "cache"))
    write_reviews(tmp_path / "my reviews.csv")
    return tmp_path


def test_its_file_is_a_study_of_the_data(here):
    result = invoke("init", "my reviews.csv")
    assert result.exit_code == 0 and result.stdout == "", result.output
    for said in (
        "columns: review, sentiment; text from 'review', label from 'sentiment'",
        "96 train, 12 validation, 12 test texts",
        "classes: 'bad' 48, 'good' 48",
        "row 1: 'good': ",
        "mostly Latin",
        "tokens ###",
        "my-reviews.toml: search with: seqtune run my-reviews.toml",
    ):
        assert said in result.stderr
    tables = read_toml(here / "my-reviews.toml")
    assert tables["task"] == "text-classification" and tables["data"]["max_tokens"] == 16
    dry = invoke("run", "my-reviews.toml", "--dry-run")
    assert dry.exit_code == 0 and "classes: 'bad' 48" in dry.stdout and "row 3: " in dry.stdout


def test_numbers_of_many_values_are_predicted(here):
    lines = [f"some text {i},{i / 7:.3f}" for i in range(200)]
    (here / "n.csv").write_text("\n".join(["text,label", *lines]))
    assert invoke("init", "n.csv", "--output", "x.toml").exit_code == 0
    assert read_toml(here / "x.toml")["task"] == "text-regression"
    assert invoke("run", "x.toml", "--dry-run").exit_code == 0
    stars = [f"some text {i},{i % 5}" for i in range(200)]
    (here / "s.csv").write_text("\n".join(["text,label", *stars]))
    assert invoke("init", "s.csv").exit_code == 0
    assert read_toml(here / "s.toml")["task"] == "text-classification"


def test_numbers_are_read_as_the_data_says_that_they_are_written(here):
    lines = [f"some text {i};{i / 7:.3f}".replace(".", ",") for i in range(200)]
    (here / "n.csv").write_text("\n".join(["text;label", *lines]))
    assert invoke("init", "n.csv", "--set", "data.decimal=,").exit_code == 0
    assert read_toml(here / "n.toml")["task"] == "text-regression"


def test_a_file_that_is_there_is_not_overwritten(here):
    (here / "my-reviews.toml").write_text("mine")
    result = invoke("init", "my reviews.csv")
    assert result.exit_code == 2 and "name another --output" in result.stderr
    assert (here / "my-reviews.toml").read_text() == "mine"


def test_how_the_data_is_written_goes_along(here):
    (here / "d.csv").write_bytes("text;label\ncaf\xe9 noir {};a\n".encode("latin-1") * 1)
    rows = "".join(f"café {i};{'ab'[i % 2]}\n" for i in range(60))
    (here / "d.csv").write_bytes(("text;label\n" + rows).encode("latin-1"))
    refused = invoke("init", "d.csv")
    assert refused.exit_code == 2 and "data.encoding = 'latin-1'" in refused.stderr
    assert invoke("init", "d.csv", "--set", "data.encoding=latin-1").exit_code == 0
    assert read_toml(here / "d.toml")["data"]["encoding"] == "latin-1"
    wrong = invoke("init", "d.csv", "--set", "search.trials=3")
    assert wrong.exit_code == 2 and "data.KEY=VALUE" in wrong.stderr


def test_settings_of_the_data_that_are_wrong_are_one_clear_error(here):
    for setting, said in (
        ("data.colour=1", "data.colour"),
        ("data.source=x", "data.KEY=VALUE"),
        ("data.max_tokens=0", "data.max_tokens = 0"),
    ):
        result = invoke("init", "my reviews.csv", "--set", setting)
        assert result.exit_code == 2 and said in result.stderr, result.output
    assert invoke("init", "https://x/y.csv").exit_code == 2


def test_settings_stay_as_they_are_given(here):
    lines = [f'"text\nof {i}",{"ab"[i % 2]}' for i in range(60)]
    (here / "d.csv").write_text("\n".join(["text,label", *lines]))
    given = ["--set", "data.max_tokens=7", "--set", "data.tokens=characters"]
    assert invoke("init", "d.csv", *given).exit_code == 0
    tables = read_toml(here / "d.toml")
    assert tables["data"]["max_tokens"] == 7 and tables["data"]["tokens"] == "characters"
