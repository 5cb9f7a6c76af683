"""Study files: what is accepted, and what is said of what is not."""

import copy
import errno
from datetime import date
from pathlib import Path

import pytest
import tomli_w

from search.driver.plan import Options, new_study
from search.errors import SpecError, StudyNotFound
from search.spec.catalogue import builtin_studies
from search.spec.overrides import apply_settings, data_of, parse_setting
from search.spec.resolve import resolve
from search.spec.study import STUDIES, find_study_file, read_toml, to_toml


def changed(tables, path, value):
    return apply_settings(tables, [(path.split("."), value)])


def test_round_trip_through_toml(tables, tmp_path):
    spec = resolve(tables, "x")
    path = tmp_path / "again.toml"
    path.write_text(to_toml(spec))
    assert resolve(read_toml(path), "x") == spec


def test_what_is_built_in():
    names = {row["name"] for row in builtin_studies()}
    assert names == {"imdb", "imdb-untuned", "imdb-demo", "rotten-tomatoes"} | {
        f"imdb-{kind}" for kind in ("glove", "word2vec", "bert", "wide")
    }
    wide = resolve(read_toml(find_study_file("imdb-wide")), "imdb-wide").space
    spanned = {"cell", "bidirectional", "pooling", "embedding", "dropout", "weight_drop"}
    assert spanned <= set(wide)


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.toml")), ids=lambda p: p.stem)
def test_builtin_studies_resolve(path):
    spec = resolve(read_toml(path), path.stem)
    assert spec.name == path.stem
    assert find_study_file(path.stem) == path
    assert any(row["name"] == path.stem and row["description"] for row in builtin_studies())


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("datta", {}, "did you mean 'data'"),
        ("search.trails", 3, "did you mean 'trials'"),
        ("data.vocabluary", 3, "did you mean 'vocabulary'"),
        ("fixed.hiden_size", 3, "did you mean 'hidden_size'"),
        ("space.lr_rate", [1e-3], "learning_rate"),
        ("space.dropout", {"low": 0.5, "high": 0.1}, "must be below"),
        ("space.dropout", {"low": 0.5, "high": 0.5}, "must be below"),
        ("space.dropout", {"low": 0.0, "high": 1.5}, "less than 1"),
        ("space.dropout", {"low": float("nan"), "high": 0.5}, "space.dropout"),
        ("space.dropout", {"low": 0.0}, "high"),
        ("space.dropout", {"low": 0.0, "high": 0.5, "log": True}, "low above 0"),
        ("space.num_layers", {"low": 1, "high": 3, "step": 0.5}, "whole number"),
        ("space.num_layers", {"low": 1, "high": 4, "step": 2}, "whole number of steps"),
        ("resources.hang_seconds", float("inf"), "finite"),
        ("space.hidden_size", [], "at least one value"),
        ("space.hidden_size", [32, 32], "twice"),
        ("space.hidden_size", [32, 64.5], "integer"),
        ("space.hidden_size", ["32"], "integer"),
        ("space.hidden_size", 32, r"\[fixed\]"),
        ("space.pooling", ["last", "middle"], "last"),
        ("space.pooling", {"low": 1, "high": 2}, "not a number"),
        ("search.trials", 0, "greater than or equal to 1"),
        ("search.seed", -1, "greater than or equal to 0"),
        ("stopping.grace_epochs", 99, "exceeds max_epochs"),
        ("stopping.reduction_factor", 1, "greater than or equal to 2"),
        ("resources.cpus_per_trial", 0, "greater than or equal to 1"),
        ("resources.gpus_per_trial", -1.0, "greater than or equal to 0"),
        ("resources.gpus_per_trial", 1.5, "less than or equal to 1"),
        ("metric", "val/acuracy", "did you mean 'val/accuracy'"),
        ("mode", "min", 'mode = "max"'),
        ("task", "text-clasification", "did you mean 'text-classification'"),
        ("task", "nowhere:Task", "cannot import task"),
        ("fixed.embedding", "bert", 'data.tokens = "bert"'),
        (
            "data.source",
            "https://me:secret@host/x.csv",
            "data.source: a URL is not read: download the data and name the file$",
        ),
        ("name", "../up", "study name"),
        ("name", "a/b", "study name"),
        ("name", "", "study name"),
        ("data.split", [0.5, 0.5, 0.5], "sum"),
        ("data.split", [0.8, 0.2], "split"),
        ("first", [{"hidden_size": 16}], "outside"),
        ("first", [{"hiden_size": 4}], "did you mean 'hidden_size'"),
        ("first", [{"embedding_dim": 4}], r"not in \[space\]"),
        ("first", {"hidden_size": 4}, "first: write a list$"),
        ("search.trials", True, "search.trials = true: write a number"),
        ("search.seed", False, "search.seed = false: write a number"),
        ("search.trials", "20", "search.trials = '20': write a number, without quotation marks"),
        (
            "stopping.audit",
            "0.1",
            "stopping.audit = '0.1': write a number, without quotation marks",
        ),
        ("stopping.max_epochs", True, "stopping.max_epochs = true: write a number"),
        ("resources.gpus_per_trial", True, "resources.gpus_per_trial = true: write a number"),
        ("resources.max_concurrent", True, "resources.max_concurrent = true: write a number"),
        ("data.max_tokens", True, "data.max_tokens = true: write a number"),
        ("resources.keep_freed_memory", "off", "keep_freed_memory = 'off': write true or false"),
        ("data.header", "False", "data.header = 'False': write true or false"),
        ("space.dropout", [10**400, 0.5], "space.dropout: an integer of 401 digits is too large"),
        ("space.dropout", {"low": 0, "high": 10**400}, "space.dropout: an integer of 401 digits"),
        ("space.learning_rate", {"low": 1e-3, "high": 1, "prior": -(10**400)}, "401|402 digits"),
        ("search.trials", 10**400, "search.trials = 1000000000000000000000000000000000000000…: "),
        ("data", "imdb.csv", r"mine.toml: data = 'imdb.csv': write a table, \[data\]$"),
        (
            "data.split",
            {"train": "a", "validation": "b", "tset": "c"},
            "unknown key 'data.split.tset': did you mean 'test'",
        ),
        ("data.split", "train", "data.split: write a list"),
        ("data.split", {"train": "a"}, "'data.split.validation' is missing"),
        ("data.text", date(2024, 1, 1), "data.text: Input should be a valid string$"),
    ],
)
def test_what_is_wrong_is_said(tables, path, value, message):
    with pytest.raises(SpecError, match=message) as caught:
        resolve(changed(tables, path, value), "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    assert "\n" not in str(caught.value)


def test_a_baseline_must_suit_the_data_too(tables):
    """It is trained by ``finalize``, behind the whole search."""
    tables["baseline"] = {"embedding": "bert"}
    with pytest.raises(SpecError, match=r'needs its own word pieces: write data.tokens = "bert"'):
        resolve(tables, "x")
    tables["baseline"] = {"embedding": "glove"}
    tables["embeddings"] = {"glove": "/vectors/glove.txt"}
    assert resolve(tables, "x").inputs["embeddings"]["glove"] == "/vectors/glove.txt"
    tables["baseline"] = {}
    with pytest.raises(SpecError, match="glove has no effect"):
        resolve(tables, "x")


def test_a_study_that_has_begun_is_not_refused_by_a_younger_rule(tables):
    begun = resolve(tables, "x").model_copy(update={"baseline": {"embedding": "bert"}})
    assert resolve(begun.tables(), "x", before=begun) == begun
    with pytest.raises(SpecError, match="word pieces"):
        resolve(changed(begun.tables(), "fixed.cell", "gru"), "x", before=begun)


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ("x" * 300, "File name too long"),
        ("~nosuchuser/x.toml", "home directory"),
        ("/closed/x.toml", "Permission denied"),
    ],
)
def test_a_study_file_that_cannot_be_looked_for(study, message, monkeypatch):
    """Root may open every folder, so one stands in that is closed."""
    is_file = Path.is_file

    def closed(path):
        if path.parent == Path("/closed"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", closed)
    with pytest.raises(StudyNotFound, match=message):
        find_study_file(study)


def test_hyperparameter_that_means_nothing_to_the_task(tables):
    tables |= {"task": "text-regression", "metric": "val/rmse", "mode": "min"}
    resolve(tables, "x")
    tables["space"]["label_smoothing"] = {"low": 0.0, "high": 0.1}
    with pytest.raises(SpecError, match="no hyperparameter 'label_smoothing'"):
        resolve(tables, "x")


def test_key_in_both_fixed_and_space(tables):
    tables["fixed"]["dropout"] = 0.1
    with pytest.raises(SpecError, match=r"\[fixed\] and in \[space\]"):
        resolve(tables, "x")


def test_first_off_the_grid(tables):
    tables["space"]["dropout"] = {"low": 0.0, "high": 0.5, "step": 0.1}
    tables["first"] = [{"dropout": 0.3}]
    resolve(tables, "x")
    tables["first"] = [{"dropout": 0.25}]
    with pytest.raises(SpecError, match="outside"):
        resolve(tables, "x")


def test_missing_data(tables):
    del tables["data"]
    with pytest.raises(SpecError, match="'data' is missing"):
        resolve(tables, "x")


@pytest.mark.parametrize(
    ("setting", "keys", "value"),
    [
        ("search.seed=3", ["search", "seed"], 3),
        ("fixed.cell=gru", ["fixed", "cell"], "gru"),
        ("fixed.bidirectional=true", ["fixed", "bidirectional"], True),
        ("space.hidden_size=[4, 8]", ["space", "hidden_size"], [4, 8]),
        ("data.source=a=b.csv", ["data", "source"], "a=b.csv"),
        ('data.label="1"', ["data", "label"], "1"),
    ],
)
def test_setting_is_typed(setting, keys, value):
    assert parse_setting(setting) == (keys, value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("data.label=1.50", "1.50"),
        ("data.label=1_000", "1_000"),
        ("data.label=true", "true"),
        ("data.text=2024-01-01", "2024-01-01"),
        ('data.text=["1", "2"]', ("1", "2")),
        ("data.delimiter=\t", "\t"),
        ("data.thousands= ", " "),
    ],
)
def test_a_setting_of_a_text_is_taken_as_it_is_written(tables, setting, value):
    (key,) = parse_setting(setting)[0][1:]
    spec = data_of("x.csv", [setting])
    assert getattr(spec, key) == value
    tables["data"] |= {"source": "x.csv"}
    tables |= {"task": "text-regression", "metric": "val/mae", "mode": "min"}
    study = resolve(apply_settings(tables, [setting]), "x")
    assert study.inputs["data"][key] == (list(value) if isinstance(value, tuple) else value)


def test_number_where_a_name_belongs_is_taken_as_one(tables):
    assert resolve(changed(tables, "data.label", 1), "x").inputs["data"]["label"] == "1"


def test_fixing_a_pretrained_embedding_takes_its_width_out():
    tables = read_toml(find_study_file("imdb"))
    spec = resolve(changed(tables, "fixed.embedding", "glove"), "x")
    assert "embedding_dim" not in spec.space and spec.first == ({"hidden_size": 64},)
    both = [(["fixed", "embedding_dim"], 64), (["fixed", "embedding"], "glove")]
    with pytest.raises(SpecError, match="embedding_dim has no effect"):
        resolve(apply_settings(tables, both), "x")


def test_settings_take_out_what_they_leave_without_effect_together():
    """Neither says it alone: the file searches both."""
    settings = tuple(f"fixed.{name}=0.0" for name in ("dropout", "input_dropout"))
    spec = new_study("imdb-wide", Options(settings=settings))
    assert "locked_dropout" not in spec.space and spec.fixed["dropout"] == 0.0
    assert "locked_dropout" in new_study("imdb-wide", Options(settings=settings[:1])).space
    with pytest.raises(SpecError, match="locked_dropout has no effect"):
        new_study("imdb-wide", Options(settings=(*settings, "fixed.locked_dropout=true")))


def test_only_places_are_made_whole_paths(tmp_path, monkeypatch):
    """``train`` and ``6B.50d`` mean no file, though one may be called so."""
    monkeypatch.chdir(tmp_path)
    for name in ("train", "6B.50d"):
        (tmp_path / name).mkdir()
    (tmp_path / "glove.zip").touch()
    assert new_study("imdb-word2vec", Options()).inputs["embeddings"]["word2vec"] == "train"
    assert new_study("imdb-glove", Options()).inputs["embeddings"]["glove"] == "6B.50d"
    unlabelled = Options(settings=("embeddings.unlabelled=train",))
    named = new_study("imdb-word2vec", unlabelled).inputs["embeddings"]
    assert named["word2vec"] == "train" and named["unlabelled"] == str(tmp_path / "train")
    options = Options(settings=("embeddings.glove=glove.zip/300d.txt",))
    named = new_study("imdb-glove", options).inputs["embeddings"]["glove"]
    assert named == str(tmp_path / "glove.zip/300d.txt")


@pytest.mark.parametrize("setting", ["search.seed", "=3", "search.=3", ".x=1"])
def test_malformed_setting(setting):
    with pytest.raises(SpecError, match=r"section\.key=value"):
        parse_setting(setting)


def test_fixing_a_searched_value_takes_it_out_of_the_space(tables):
    tables["first"] = [{"dropout": 0.1}, {"dropout": 0.2, "hidden_size": 4}]
    before = copy.deepcopy(tables)
    spec = resolve(changed(tables, "fixed.dropout", 0.25), "x")
    assert "dropout" not in spec.space and spec.fixed["dropout"] == 0.25
    assert spec.first == ({}, {"hidden_size": 4})
    assert tables == before


def test_setting_through_a_value(tables):
    with pytest.raises(SpecError, match="is no table"):
        changed(tables, "search.seed.x", 1)


def test_unknown_and_hostile_study_files(tmp_path):
    with pytest.raises(StudyNotFound, match="did you mean 'imdb'"):
        find_study_file("imbd")
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * (2 << 20))
    with pytest.raises(SpecError, match="larger than"):
        read_toml(huge)
    bomb = tmp_path / "bomb.toml"
    bomb.write_text("x = " + "[" * 100_000)
    with pytest.raises(SpecError, match="not valid TOML"):
        read_toml(bomb)
    torn = tmp_path / "torn.toml"
    torn.write_text('name = "x')
    with pytest.raises(SpecError, match="not valid TOML"):
        read_toml(torn)
    pythonic = tmp_path / "pythonic.toml"
    pythonic.write_text("[fixed]\nbidirectional = True\n")
    with pytest.raises(SpecError, match=r"line 2.*; write true for True"):
        read_toml(pythonic)


def test_the_words_of_python_are_answered_with_those_of_toml(tables):
    with pytest.raises(SpecError, match=r"fixed\.bidirectional = 'False': write false"):
        resolve(tables | {"fixed": {"bidirectional": "False"}}, "x")


def test_metric_and_mode_follow_from_the_task(tables):
    spec = resolve(tables | {"task": "text-regression"}, "x")
    assert (spec.metric, spec.mode) == ("val/mae", "min")
    spec = resolve(tables | {"metric": "val/loss"}, "x")
    assert (spec.metric, spec.mode) == ("val/loss", "min")


def test_an_unknown_sampler_is_told_before_anything_starts(tables, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tables["search"]["sampler"] = "grid"
    (tmp_path / "x.toml").write_text(tomli_w.dumps(tables))
    with pytest.raises(SpecError, match=r"^x.toml: search.sampler = 'grid': .* known: auto, gp"):
        new_study("x.toml", Options())


@pytest.mark.parametrize("setting", ["fixed.num_layers=[1, 2]", "space.num_layers=[[1], 2]"])
def test_a_list_where_one_value_belongs_is_told(tables, setting):
    with pytest.raises(SpecError, match="num_layers"):
        resolve(apply_settings(tables, [setting]), "mine.toml")
