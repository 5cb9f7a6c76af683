"""``export``, ``predict`` and ``evaluate`` as a person types them."""

import csv
import json

import pyarrow
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from search.cli.main import main
from tests.finished_study import train_study
from tests.reviews import write_reviews
from trainables.serving import load_model
from trainables.storage import Cache


@pytest.fixture
def here(tmp_path, tables, monkeypatch):
    """A folder with a finished study, and the model of its first trial in ``model``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQTUNE_CACHE", str(tmp_path / "cache"))
    tables["search"] = {"trials": 2, "sampler": "random", "seed": 3}
    tables["space"]["learning_rate"] = {"low": 0.02, "high": 0.1, "log": True}
    tables["stopping"] = {"max_epochs": 4, "grace_epochs": 4}
    tables["resources"] = {"precision": "float32"}
    train_study(tmp_path / "results" / "small", tables, Cache(tmp_path / "cache"))
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
    for kind in ("csv", "json", "jsonl", "parquet"):
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


def test_words_that_moved_it(here):
    [row] = lines("predict", "model", "a warm and dull film", "--explain")
    assert [token for token, _ in row["tokens"]] == ["a", "warm", "and", "dull", "film"]
    gains = dict(row["tokens"])
    sign = 1 if row["label"] == "good" else -1
    assert sign * gains["warm"] > sign * gains["dull"]
    assert "moved by:" in run("predict", "model", "a warm film", "--explain").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["model"], "give texts, or a file"),
        (["model", "x", "--input", "in.csv"], "give texts, or a file"),
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
        (["model", "--input", "in.csv", "--output", "no/out.csv"], "cannot write"),
    ],
)
def test_what_is_wrong_is_one_clear_line_and_nothing_is_written(here, arguments, says):
    write_inputs(here)
    (here / "empty.csv").touch()
    (here / "odd.xyz").write_text("x")
    (here / "torn.csv").write_text("text,n\na,1\nb,2,3\n")
    (here / "torn.jsonl").write_text('{"text": "a"}\n{"text": \n')
    (here / "long.txt").write_text("short\n" + "x" * 2_000_000)
    done = run("predict", *arguments)
    assert done.exit_code == 2 and says in done.stderr, done.output
    assert "Traceback" not in done.output
    assert not [path for path in here.iterdir() if path.name.startswith((".out", "out."))]


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
    assert scores["in_training"] == scores["left_out"] == 96
    assert scores["texts"] == 24
    whole = ["evaluate", "model", "--data", "reviews.csv", "--include-training"]
    scores = json.loads(run(*whole, "--format", "json").stdout)
    assert (scores["texts"], scores["in_training"], scores["left_out"]) == (120, 96, 0)


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
    assert done.exit_code == 2 and "'0', which is no class of the model" in done.stderr
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
    assert done.exit_code == 2 and "is no model" in done.stderr
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
    first, whole, eight = run(*arguments).stdout.splitlines()
    assert first == "model-onnx"
    assert whole.startswith("model.onnx: accuracy ") and eight.startswith("model.int8.onnx: acc")
    done = run("export", "model", "--to", "onnx", "--int8")
    assert done.exit_code == 2 and "--int8 goes with --to onnx and --data" in done.stderr
