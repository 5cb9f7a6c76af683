"""``export``, ``predict`` and ``evaluate`` as a person types them."""

import csv
import gzip
import json
import shutil

import pyarrow
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from search.cli.main import main
from tests.finished_study import train_study
from tests.reviews import small_study, write_reviews
from trainables.serving import load_model
from trainables.storage import Cache


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a finished study, which was trained once, and its cache."""
    folder = tmp_path_factory.mktemp("finished")
    tables = small_study(write_reviews(folder / "reviews.csv"))
    tables["search"] = {"trials": 2, "sampler": "random", "seed": 3}
    tables["space"]["learning_rate"] = {"low": 0.02, "high": 0.1, "log": True}
    tables["stopping"] = {"max_epochs": 4, "grace_epochs": 4}
    tables["resources"] = {"precision": "float32"}
    train_study(folder / "results" / "small", tables, Cache(folder / "cache"))
    return folder


@pytest.fixture
def here(tmp_path, finished, monkeypatch):
    """A folder with a finished study, and the model of its first trial in ``model``."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQTUNE_CACHE", str(tmp_path / "cache"))
    done = run("export", "small", "--trial", "0", "--output", "model")
    assert done.exit_code == 0 and done.stdout == "model\n"
    return tmp_path


def run(*arguments: str, **more):
    return CliRunner().invoke(main, arguments, **more)


def lines(*arguments: str, **more):
    done = run(*arguments, "--format", "json", **more)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_texts_as_arguments(here):
    good, bad = lines("predict", "model", "a warm funny film", "a dull lazy mess")
    assert (good["label"], bad["label"]) == ("good", "bad")
    assert good["text"] == "a warm funny film"
    assert sum(good["probabilities"].values()) == pytest.approx(1.0)
    table = run("predict", "model", "a warm funny film").stdout
    assert "good" in table and "a warm funny film" in table
    comma = run("predict", "model", "warm, film", "--format", "csv").stdout.splitlines()
    assert comma[0] == "text,label,probabilities.bad,probabilities.good"
    assert comma[1].startswith('"warm, film",')


def write_inputs(folder):
    texts = ["a warm film", "dull, lazy\nmess", "", "moving"]
    with (folder / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *([i, t] for i, t in enumerate(texts))])
    with (folder / "in.tsv").open("w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([["text"], *([t] for t in texts)])
    rows = [{"text": text} for text in texts]
    (folder / "in.json").write_text(json.dumps(rows))
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), folder / "in.parquet")
    return texts


def test_files_of_every_format_say_the_same(here):
    texts = write_inputs(here)
    expected = [one.label for one in load_model("model").predict(texts)]
    for kind in ("csv", "tsv", "json", "jsonl", "parquet"):
        found = lines("predict", "model", "--input", f"in.{kind}")
        assert [row["text"] for row in found] == texts, kind
        assert [row["label"] for row in found] == expected
    (here / "in.txt").write_text("a warm film\ndull\n")
    assert len(lines("predict", "model", "--input", "in.txt")) == 2
    piped = lines("predict", "model", "--input", "-", input="a warm film\n\ndull\n")
    assert [row["text"] for row in piped] == ["a warm film", "", "dull"]


def test_output_files(here):
    write_inputs(here)
    for kind in ("csv", "jsonl", "parquet"):
        done = run("predict", "model", "--input", "in.csv", "--output", f"out.{kind}")
        assert done.exit_code == 0 and done.stdout == f"out.{kind}\n"
    table = pyarrow.parquet.read_table("out.parquet")
    assert table.column_names == ["text", "label", "probabilities.bad", "probabilities.good"]
    assert table.num_rows == 4
    assert len((here / "out.jsonl").read_text().splitlines()) == 4
    with (here / "out.csv").open() as file:
        assert [row["text"] for row in csv.DictReader(file)][1] == "dull, lazy\nmess"


def test_columns_that_are_kept(here):
    rows = [{"id": 7, "label": "true", "text": "warm"}, {"text": "dull", "id": None}]
    (here / "k.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (here / "k.csv").write_text("id,label,text\n007,true,warm\n,,dull\n")
    pyarrow.parquet.write_table(
        pyarrow.table({"id": [7, 8], "text": ["a", "b"]}), here / "k.parquet"
    )
    keep = ["--keep", "id", "--keep", "label"]
    first, second = lines("predict", "model", "--input", "k.jsonl", *keep)
    assert first["input"] == {"id": "7", "label": "true"} and first["label"] in ("good", "bad")
    assert second["input"] == {"id": None, "label": None}
    first, _ = lines("predict", "model", "--input", "k.csv", *keep)
    assert first["input"] == {"id": "007", "label": "true"}
    done = run("predict", "model", "--input", "k.parquet", "--keep", "id", "--output", "o.parquet")
    assert done.exit_code == 0, done.output
    assert pyarrow.parquet.read_table("o.parquet")["input.id"].to_pylist() == ["7", "8"]
    done = run("predict", "model", "--input", "k.csv", "--keep", "nr")
    assert done.exit_code == 2 and "has no column 'nr' (--keep)" in done.stderr
    done = run("predict", "model", "--input", "-", "--keep", "id", input="warm")
    assert done.exit_code == 2 and "have no columns" in done.stderr


def test_a_format_that_agrees_with_the_file_is_no_contradiction(here):
    done = run("predict", "model", "warm", "--output", "out.csv", "--format", "csv")
    assert done.exit_code == 0 and (here / "out.csv").exists()


def test_words_that_moved_it(here):
    [row] = lines("predict", "model", "a warm and dull film", "--explain")
    assert [one["token"] for one in row["tokens"]] == ["a", "warm", "and", "dull", "film"]
    gains = {one["token"]: one["gain"] for one in row["tokens"]}
    sign = 1 if row["label"] == "good" else -1
    assert sign * gains["warm"] > sign * gains["dull"]
    (here / "two.txt").write_text("\na warm film\n")  # the first has no tokens
    for kind in ("parquet", "csv", "jsonl"):
        done = run("predict", "model", "--input", "two.txt", "--explain", "--output", f"o.{kind}")
        assert done.exit_code == 0, done.output
    assert [len(one) for one in pyarrow.parquet.read_table("o.parquet")["tokens"]] == [0, 3]
    assert "moved by:" in run("predict", "model", "a warm film", "--explain").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["model"], "give texts, or a file"),
        (["model", "x", "--input", "in.csv"], "either texts or --input"),
        (["model", "--input", "in.csv", "--output", "in.csv"], "is the --input itself"),
        (["model", "--input", "."], "is a folder"),
        (["nowhere", "x"], "no model in 'nowhere'"),
        (["small", "x"], "study 'small' has no model yet"),
        (["model", "--input", "none.csv"], "there is no file"),
        (["model", "--input", "empty.csv"], "is empty"),
        (["model", "--input", "odd.xyz"], "no suffix that tells its format"),
        (["model", "--input", "in.csv", "--text", "body"], "has no column 'body'"),
        (["model", "--input", "torn.csv", "--output", "out.csv"], "row 2 (line 3) has 3 cells"),
        (["model", "--input", "torn.jsonl", "--output", "out.csv"], "line 2 is no JSON"),
        (
            ["model", "--input", "long.txt", "--output", "out.csv"],
            "text 2 has 2,000,000 characters",
        ),
        (["model", "--input", "in.csv", "--output", "out.xls"], "its suffix must be one of"),
        (["model", "x", "--output", "out.jsonl", "--format", "csv"], "leave one out"),
        (["model", "x", "--output", "out.parquet", "--format", "table"], "leave one out"),
        (["model", "--input", "in.csv", "--output", "no/out.csv"], "cannot write"),
        (["model", "--input", "in.csv", "--output", "no/out.parquet"], "there is no folder no"),
        (["model", "--input", "in.csv", "--output", "out.folder.csv"], "it is a folder"),
        (["model", "--input", "in.jsonl", "--text", "txet"], "has no column 'txet'"),
        (["model", "x", "--set", "data.header=false"], "are about --input"),
        (["model", "--input", "in.csv", "--set", "data.label=x"], "data.label has no effect"),
    ],
)
def test_what_is_wrong_is_one_clear_line_and_nothing_is_written(here, arguments, says):
    write_inputs(here)
    (here / "empty.csv").touch()
    (here / "odd.xyz").write_text("x")
    (here / "torn.csv").write_text("text,n\na,1\nb,2,3\n")
    (here / "torn.jsonl").write_text('{"text": "a"}\n{"text": \n')
    (here / "out.folder.csv").mkdir()
    (here / "long.txt").write_text("short\n" + "x" * 2_000_000)
    done = run("predict", *arguments)
    assert done.exit_code == 2 and says in done.stderr, done.output
    assert "Traceback" not in done.output
    (here / "out.folder.csv").rmdir()
    assert not [path for path in here.iterdir() if path.name.startswith((".out", "out."))]


def test_how_a_file_is_written(here):
    (here / "odd.csv").write_bytes("id;0\n1;caf\xe9, warm\n".encode("latin-1"))
    settings = ["data.encoding=latin-1", "data.header=false", "data.text='1'"]
    options = [part for one in settings for part in ("--set", one)]
    found = lines("predict", "model", "--input", "odd.csv", *options)
    assert [row["text"] for row in found] == ["0", "café, warm"]
    done = run("predict", "model", "--input", "odd.csv", "--text", "0")
    assert done.exit_code == 2
    assert "write data.encoding = 'latin-1' (here with --set data.KEY=VALUE)" in done.stderr
    (here / "stray.tsv").write_text('n\ttext\n1\t"a warm film\n2\tdull\n')
    found = lines("predict", "model", "--input", "stray.tsv")
    assert [row["text"] for row in found] == ['"a warm film', "dull"]
    (here / "half.jsonl").write_text('{"review": {"body": "warm \\ud800"}}\n{"review": {}}\n')
    half = ["--input", "half.jsonl", "--text", "review.body"]
    assert [row["text"] for row in lines("predict", "model", *half)] == ["warm ?", ""]
    for kind in ("jsonl", "parquet"):
        assert run("predict", "model", *half, "--output", f"out.{kind}").exit_code == 0
    done = run("predict", "model", "--input", "-", input=b"warm\ncaf\xe9\n")
    assert done.exit_code == 2 and "the input is not utf-8" in done.stderr
    marked = lines("predict", "model", "--input", "-", input="warm\r\n".encode("utf-16"))
    assert [row["text"] for row in marked] == ["warm"]
    done = run("predict", "model", "--input", "-", input=gzip.compress(b"warm\n"))
    assert done.exit_code == 2 and "gzip -dc" in done.stderr


def test_texts_that_say_nothing_are_counted(here):
    done = run("predict", "model", "", "zzz qqq", "a warm film", "--format", "json")
    assert "note: 2 of 3 texts are empty or have no word that the model knows" in done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert not run("predict", "model", "a warm film").stderr


def test_a_folder_that_is_not_ours_is_never_replaced(here):
    theirs = here / "theirs"
    theirs.mkdir()
    (theirs / "config.json").write_text("{}")
    (theirs / "main.py").write_text("work")
    for arguments in (
        ["small", "--trial", "0"],
        ["model", "--to", "safetensors"],
        ["model", "--to", "onnx"],
    ):
        done = run("export", *arguments, "--output", "theirs")
        assert done.exit_code == 2 and "not ours" in done.stderr, done.output
    assert (theirs / "main.py").read_text() == "work"
    for place in ("model", "."):
        done = run("export", "model", "--to", "onnx", "--output", place)
        assert done.exit_code == 2 and "the model itself" in done.stderr, done.output
    (here / "file").write_text("text")
    done = run("export", "model", "--to", "onnx", "--output", "file")
    assert done.exit_code == 2 and "not ours" in done.stderr
    assert load_model("model").predict(["warm"])
    for _ in range(2):  # ours is replaced
        assert run("export", "model", "--to", "onnx", "--output", "graph").exit_code == 0


def test_numbers_as_they_are_written(here, tables):
    rows = [
        f"{'warm' if i % 2 else 'dull'} film {i};{'2.500,5' if i % 2 else '-1.000,0'}"
        for i in range(80)
    ]
    (here / "numbers.csv").write_text("\n".join(["text;label", *rows]))
    tables |= {"name": "numbers", "task": "text-regression", "metric": "val/mae", "mode": "min"}
    written = {"delimiter": ";", "thousands": ".", "decimal": ","}
    tables["data"] |= {"source": str(here / "numbers.csv"), **written}
    train_study(here / "results" / "numbers", tables, Cache(here / "cache"))
    assert run("export", "numbers", "--trial", "0", "--output", "regression").exit_code == 0
    options = [part for k, v in written.items() for part in ("--set", f"data.{k}={v}")]
    evaluate = ["evaluate", "regression", "--data", "numbers.csv", "--format", "json"]
    done = run(*evaluate, *options, "--include-training")
    mae = json.loads(done.stdout)["figures"]["mae"]["value"]
    few = json.loads(run(*evaluate, *options, "--include-training", "--set", "data.limit=5").stdout)
    assert 0 < mae < 4000 and few["texts"] == 5
    wrong = run(*evaluate, "--set", "data.delimiter=;")
    assert wrong.exit_code == 2 and "is not a finite number" in wrong.stderr
    idle = run(*evaluate, *options, "--set", "data.max_tokens=3")
    assert idle.exit_code == 2 and "data.max_tokens has no effect" in idle.stderr


def test_scores_over_other_texts(here):
    write_reviews(here / "other.csv", rows=200, seed=7)
    done = run("evaluate", "model", "--data", "other.csv", "--format", "json")
    scores = json.loads(done.stdout)
    assert scores["texts"] == 200 and scores["in_training"] == 0
    figure = scores["figures"]["accuracy"]
    assert 0.8 < figure["low"] <= figure["value"] <= figure["high"] <= 1.0
    assert {"macro_f1", "auc", "loss"} < scores["figures"].keys()
    assert [row["name"] for row in scores["classes"]] == ["bad", "good"]
    assert [row["texts"] for row in scores["classes"]] == [100, 100]
    assert 0 <= scores["ece"] <= 1
    assert sum(row["texts"] for row in scores["reliability"]) == 200
    shown = run("evaluate", "model", "--data", "other.csv").stdout
    assert "each class" in shown and "calibration" in shown


def test_texts_of_the_training_part_are_left_out(here):
    scores = json.loads(
        run("evaluate", "model", "--data", "reviews.csv", "--format", "json").stdout
    )
    # By a trial's own model: it was chosen by the validation texts, so these count as seen.
    assert scores["in_training"] == scores["left_out"] == 108
    assert scores["texts"] == 12
    whole = ["evaluate", "model", "--data", "reviews.csv", "--include-training"]
    scores = json.loads(run(*whole, "--format", "json").stdout)
    assert (scores["texts"], scores["in_training"], scores["left_out"]) == (120, 108, 0)


def test_whoever_scores_the_studys_own_test_part_is_told(here):
    evaluate = ["evaluate", "model", "--data", "reviews.csv"]
    said = "12 of the 12 texts are the study's test part, which finalize opens once"
    assert f"note: {said}" in run(*evaluate).stderr
    whole = json.loads(run(*evaluate, "--include-training", "--format", "json").stdout)
    assert any("12 of the 120 texts are the study's test part" in note for note in whole["notes"])
    (here / "own.csv").write_text("text,label\nquite other words here,good\nand here,bad\n")
    assert "test part" not in run("evaluate", "model", "--data", "own.csv").stderr
    (here / "model" / "metrics.json").write_text("{}")  # nor where it is not known
    done = run(*evaluate)
    assert done.exit_code == 0 and "test part" not in done.stderr


def test_a_folder_by_class_as_it_lies_on_a_disk(here):
    for name, text in (("good", "a warm film"), ("bad", "a dull mess")):
        (here / "aclImdb" / "test" / name).mkdir(parents=True)
        for index in range(6):
            path = here / "aclImdb" / "test" / name / f"{index}_1.txt"
            path.write_text(f"{text} number {index}")
    scores = json.loads(
        run("evaluate", "model", "--data", "aclImdb/test", "--format", "json").stdout
    )
    assert scores["texts"] == 12
    assert scores["figures"]["accuracy"]["value"] == 1.0


def test_labels_by_another_name(here):
    rows = [f"{'a warm film' if i % 2 else 'a dull mess'} {i},{i % 2}" for i in range(20)]
    (here / "numbered.csv").write_text("\n".join(["text,label", *rows]))
    done = run("evaluate", "model", "--data", "numbered.csv")
    assert done.exit_code == 2 and "--labels 0=CLASS --labels 1=CLASS" in done.stderr
    idle = run("evaluate", "model", "--data", "numbered.csv", "--labels", "7=bad")
    assert idle.exit_code == 2
    named = ["--labels", "0=bad", "--labels", "1=good", "--format", "json"]
    scores = json.loads(run("evaluate", "model", "--data", "numbered.csv", *named).stdout)
    assert scores["figures"]["accuracy"]["value"] > 0.9
    done = run("evaluate", "model", "--data", "numbered.csv", "--labels", "0=awful")
    assert done.exit_code == 2 and "no class 'awful'" in done.stderr
    done = run("evaluate", "model", "--data", "numbered.csv", "--labels", "0")
    assert done.exit_code == 2 and "LABEL=CLASS" in done.stderr


def test_what_cannot_be_scored(here):
    (here / "bare.csv").write_text("text\na warm film\n")
    for data, says in (("bare.csv", "looks like the label"), ("none.csv", "none.csv")):
        done = run("evaluate", "model", "--data", data)
        assert done.exit_code == 2 and says in done.stderr, done.output
    done = run("evaluate", "model", "--data", "reviews.csv", "--part", "test")
    assert done.exit_code == 2 and "has no part 'test'" in done.stderr


def test_what_cannot_be_exported(here):
    done = run("export", "small", "--trial", "9")
    assert done.exit_code == 2 and "has no trial 9" in done.stderr
    (here / "taken").mkdir()
    (here / "taken" / "file").touch()
    done = run("export", "small", "--trial", "0", "--output", "taken")
    assert done.exit_code == 2 and "not ours" in done.stderr
    for path in (here / "results" / "small" / "checkpoints").rglob("*.safetensors"):
        path.write_bytes(b"x")
    done = run("export", "small", "--trial", "0", "--output", "other")
    assert done.exit_code == 1 and "damaged" in done.stderr
    assert not (here / "other").exists()


def test_export_has_a_place_of_its_own_and_replaces_what_it_wrote(here):
    for _ in range(2):
        done = run("export", "small", "--trial", "1")
        assert done.stdout == "results/small/models/trial-0001\n"
    assert load_model("results/small/models/trial-0001").config.classes == ("bad", "good")


def test_a_program_for_another_runtime_with_what_eight_bits_cost(here):
    done = run("export", "small", "--trial", "0", "--to", "onnx")
    assert done.stdout == "results/small/models/trial-0000-onnx\n"
    arguments = ["export", "model", "--to", "onnx", "--int8", "--data", "reviews.csv"]
    first, seen, opened, whole, eight = run(*arguments).stdout.splitlines()
    assert first == "model-onnx" and seen.startswith("note: 108 texts that it was trained on")
    assert opened.startswith("note: 12 of the 12 texts are the study's test part")
    assert "over 12 texts" in whole and "over 12 texts" in eight
    assert whole.startswith("model.onnx: accuracy ") and eight.startswith("model.int8.onnx: acc")
    done = run("export", "model", "--to", "onnx", "--int8")
    assert done.exit_code == 2 and "--int8 goes with --to onnx and --data" in done.stderr


def test_a_model_is_exported_from_its_own_folder(here, monkeypatch):
    monkeypatch.chdir(here / "model")
    done = run("export", ".", "--to", "onnx")
    assert done.exit_code == 0 and done.stdout == f"{here / 'model-onnx'}\n", done.output


def test_how_a_file_was_read_is_told_as_a_search_tells_it(here):
    rows = [f"film {i} is warm and moving;x{i}" for i in range(9)]
    (here / "two.csv").write_text("\n".join(["review;text", *rows]))
    done = run("predict", "model", "--input", "two.csv", "--format", "json")
    assert json.loads(done.stdout.splitlines()[0])["text"] == "film 0 is warm and moving"
    assert "note: the texts are in column 'review', not in 'text'" in done.stderr
    assert "note: two.csv: its cells are parted by ';'" in done.stderr
    (here / "stray.tsv").write_text('n\ttext\n1\tdull\n2\t"a warm film\n')
    done = run("predict", "model", "--input", "stray.tsv")
    assert "note: stray.tsv: quotes in it are letters" in done.stderr
