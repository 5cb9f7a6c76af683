"""Rows that some program has written are read back exactly or refused, never altered."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainables.data.folders import part_of
from trainables.data.reading.cells import Unusable, as_label, as_text
from trainables.data.sources import find_source
from trainables.data.spec import DataSpec
from trainables.data.tables import read_tables
from trainables.errors import DataError

Rows = list[tuple[str, str]]


def by_csv(**options: Any) -> Callable[[Path, Rows], None]:
    def write(path: Path, rows: Rows) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, **options).writerows([("text", "label"), *rows])

    return write


def by_pandas(method: str, **options: Any) -> Callable[[Path, Rows], None]:
    def write(path: Path, rows: Rows) -> None:
        import pandas

        frame = pandas.DataFrame(rows, columns=["text", "label"])
        getattr(frame, method)(path, **options)

    return write


def by_pyarrow(path: Path, rows: Rows) -> None:
    import pyarrow
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet

    columns = {"text": [t for t, _ in rows], "label": [y for _, y in rows]}
    table = pyarrow.table(columns)
    if path.suffix == ".csv":
        arrow_csv.write_csv(table, path)
    else:
        parquet.write_table(table, path)


def by_json(path: Path, rows: Rows) -> None:
    objects = [{"text": t, "label": y} for t, y in rows]
    path.write_text(json.dumps(objects, ensure_ascii=False), encoding="utf-8")


def by_json_lines(path: Path, rows: Rows) -> None:
    lines = (json.dumps({"text": t, "label": y}, ensure_ascii=False) for t, y in rows)
    path.write_text("\n".join(lines), encoding="utf-8")


def by_gzip(path: Path, rows: Rows) -> None:
    with gzip.open(path, "wt", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


#: A file's name, who writes it, and what the study says of it.
WRITERS: dict[str, tuple[str, Callable[[Path, Rows], None], dict[str, Any]]] = {
    "csv": ("a.csv", by_csv(), {}),
    "csv, all quoted": ("a.csv", by_csv(quoting=csv.QUOTE_ALL), {}),
    "csv, tabs": ("a.tsv", by_csv(dialect="excel-tab"), {}),
    "csv, unix": ("a.csv", by_csv(dialect="unix"), {}),
    "csv, semicolons": ("a.csv", by_csv(delimiter=";"), {"delimiter": ";"}),
    "pandas csv": ("a.csv", by_pandas("to_csv", index=False), {}),
    "pandas csv with its index": ("a.csv", by_pandas("to_csv"), {}),
    "pandas tsv": ("a.tsv", by_pandas("to_csv", index=False, sep="\t"), {}),
    "pandas json": ("a.json", by_pandas("to_json", orient="records"), {}),
    "pandas json lines": ("a.jsonl", by_pandas("to_json", orient="records", lines=True), {}),
    "pandas json, its default": ("a.json", by_pandas("to_json"), {}),
    "pandas json, split": ("a.json", by_pandas("to_json", orient="split"), {}),
    "pandas json, table": ("a.json", by_pandas("to_json", orient="table"), {}),
    "pandas json, index": ("a.json", by_pandas("to_json", orient="index"), {}),
    "pandas parquet": ("a.parquet", by_pandas("to_parquet"), {}),
    "pyarrow csv": ("a.csv", by_pyarrow, {}),
    "pyarrow parquet": ("a.parquet", by_pyarrow, {}),
    "json": ("a.json", by_json, {}),
    "json lines": ("a.jsonl", by_json_lines, {}),
    "gzip": ("a.csv.gz", by_gzip, {}),
}

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.text(LETTERS, min_size=1, max_size=12).filter(str.strip)
LABELS = st.sampled_from(["a", "b", "1", "01", "1.0", "None", "NaN", 'c"d', "e,f", "g\th"])


@pytest.mark.parametrize("writer", WRITERS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.tuples(TEXTS, LABELS), min_size=3, max_size=8))
def test_rows_are_read_back_exactly_or_refused(writer, rows, tmp_path):
    name, write, options = WRITERS[writer]
    path = tmp_path / name
    write(path, rows)
    try:
        table = read_tables(DataSpec(source=str(path), **options), tmp_path)["train"]
    except DataError as error:
        assert len(str(error)) < 500
        return
    assert table.texts == [text for text, _ in rows]
    labels = [label for _, label in rows]
    assert table.labels in (labels, [y.removesuffix(".0") for y in labels])
    if table.labels != labels:
        assert set(labels) == {"1.0"}, "only a column of whole floats is renamed"


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.tuples(
            TEXTS.filter(lambda t: not set(t) & set("\t\r\n\x0b\x0c\x1c\x1d\x1e\x85")), LABELS
        ),
        min_size=3,
        max_size=8,
    )
)
def test_quotes_that_are_letters_stay(rows, tmp_path):
    path = tmp_path / "a.tsv"
    rows = [(text, label) for text, label in rows if "\t" not in label] or [("x", "a")]
    path.write_text("text\tlabel\n" + "".join(f"{t}\t{y}\n" for t, y in rows), encoding="utf-8")
    spec = DataSpec(source=str(path), quoting="none")
    assert read_tables(spec, tmp_path)["train"].texts == [text for text, _ in rows]


def test_a_pair_of_stray_quotes_that_fit_is_found_by_the_labels_in_it(tmp_path):
    lines = ["text,label", *(f"word {i},{'ab'[i % 2]}" for i in range(40))]
    lines[10] = '"opens here,a'
    lines[20] = 'closes here",b'
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"row 10 holds 11 rows: a quote opens a cell"):
        read_tables(DataSpec(source=str(path)), tmp_path)
    table = read_tables(DataSpec(source=str(path), quoting="none"), tmp_path)["train"]
    assert len(table.texts) == 40


def test_texts_of_several_lines_are_no_stray_quotes(tmp_path):
    path = tmp_path / "a.csv"
    texts = [f"Great, loved it {i}\nWould watch again, really\nYes" for i in range(9)]
    by_csv()(path, [(text, "ab"[i % 2]) for i, text in enumerate(texts)])
    assert read_tables(DataSpec(source=str(path)), tmp_path)["train"].texts == texts


def test_several_columns_are_joined(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("title,body,label\nOne,more,a\nTwo,,b\n,,a\n")
    table = read_tables(DataSpec(source=str(path), text=("title", "body")), tmp_path)["train"]
    assert table.texts == ["One\nmore", "Two"] and table.left_out == [3]


def test_missing_cells_are_what_the_study_says(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\nx,a\ny,NA\nN/A,b\nz,b\n")
    spec = DataSpec(source=str(path), missing=("NA", "N/A"))
    table = read_tables(spec, tmp_path)["train"]
    assert (table.texts, table.left_out) == (["x", "z"], [2, 3])


def test_the_same_bytes_under_another_name_are_the_same_data(tmp_path):
    for name in ("a.csv", "b.CSV"):
        (tmp_path / name).write_text("text,label\nx,a\n")
    one, other = (find_source(str(tmp_path / name)).digest() for name in ("a.csv", "b.CSV"))
    assert one == other
    (tmp_path / "b.CSV").write_text("text,label\nx,b\n")
    assert find_source(str(tmp_path / "b.CSV")).digest() != one


def folder_of(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / name).write_text("text,label\nx,a\n")
    return tmp_path / "d"


def test_a_file_of_no_known_part_is_refused_by_name(tmp_path):
    folder = folder_of(tmp_path, "train.csv", "sample_submission.csv")
    with pytest.raises(DataError, match=r"which part .* is sample_submission\.csv"):
        find_source(str(folder))


def test_files_without_labels_are_passed_over(tmp_path):
    found = find_source(str(folder_of(tmp_path, "train.csv", "unsup.csv", "testing.csv")))
    assert {part: [p.name for p in files] for part, files in found.parts.items()} == {
        "train": ["train.csv"],
        "test": ["testing.csv"],
    }
    assert "without labels, so passed over: unsup.csv" in found.notes


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (("train", "pos"), "train"),
        (("my_dev_set",), "validation"),
        (("EVAL",), "validation"),
        (("Holdout-2024",), "test"),
        (("latest",), None),
        (("contest",), None),
        (("train", "test"), "test"),
        (("unsup",), "unlabelled"),
    ],
)
def test_words_that_tell_a_part(names, part):
    assert part_of(names) == part


def test_reviews_as_they_come_from_stanford(tmp_path):
    """One file a text; what lies beside the folders of classes is none."""
    root = tmp_path / "aclImdb"
    for part in ("train", "test"):
        for kind in ("pos", "neg"):
            (root / part / kind).mkdir(parents=True)
            for i in range(30):
                (root / part / kind / f"{i}_7.txt").write_text(f"{part} {kind} text {i}")
        (root / part / "urls_pos.txt").write_text("http://…")
    (root / "train" / "unsup").mkdir()
    (root / "train" / "unsup" / "0_0.txt").write_text("no label")
    (root / "README").write_text("about")
    (root / "imdbEr.txt").write_text("0.1\n")
    tables = read_tables(DataSpec(source=str(root)), tmp_path)
    assert {part: len(table.texts) for part, table in tables.items()} == {"train": 60, "test": 60}
    assert set(tables["train"].labels) == {"pos", "neg"}
    assert any("passed over" in note for note in tables["train"].notes)


def test_cells():
    import decimal

    assert [as_label(x) for x in (1, 1.0, True, " a ", None, float("nan"), b"b", "")] == [
        *("1", "1", "True", "a", None, None, "b", "")
    ]
    assert as_label(decimal.Decimal("1.00")) == "1" and as_label(1e300) == "1e+300"
    assert as_label(2**60) == str(2**60) and as_label(0.5) == "0.5"
    assert as_text(["a", "b"]) == "a b" and as_text(3) == "3"
    for cell in ({"a": 1}, [1], b"\xff", [None]):
        with pytest.raises(Unusable):
            as_text(cell)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": [1], "b": [1, 2]}', "its columns differ in length"),
        ("[1, 2]", "row 1 is a int"),
        ("3", "holds no rows"),
        ('{"text": "x"}\n{"text": }', "line 2 is no JSON"),
        ('{"a": {"x": 1}, "b": {"x": 2, "y": 3}}', "by id or by column"),
        ('{"a": 1, "b": "x"}', "cannot be told for certain"),
    ],
)
def test_json_of_no_certain_shape_is_refused(tmp_path, content, said):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=said):
        read_tables(DataSpec(source=str(tmp_path / "a.json")), tmp_path)


@pytest.mark.parametrize(
    ("label", "remedy"),
    [
        ("1,234", "data.thousands = ','"),
        ("1,5", "data.decimal = ','"),
        ("5%", "without the percent sign"),
        ("n/a", r"data.missing = \['n/a'\]"),
        ("two", "is data.label the right column"),
        ("1_000", "is data.label the right column"),
    ],
)
def test_a_target_that_is_no_number_has_its_remedy(tmp_path, label, remedy):
    from trainables.data.parts import cut_parts

    path = tmp_path / "a.csv"
    by_csv()(path, [(f"text {i}", label if i == 7 else str(i)) for i in range(20)])
    spec = DataSpec(source=str(path))
    with pytest.raises(DataError, match=f"in row 8 of 'a.csv' is not a finite number: .*{remedy}"):
        cut_parts(read_tables(spec, tmp_path), spec, "number")
