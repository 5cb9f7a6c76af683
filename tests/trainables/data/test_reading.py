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

from trainables.data.reading.cells import Unusable, as_label, as_text
from trainables.data.sources.folders import part_of
from trainables.data.sources.source import find_source
from trainables.data.spec import DataSpec
from trainables.data.tables.read import read_tables
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


@pytest.mark.lengthy
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
    from trainables.data.splitting.parts import cut_parts

    path = tmp_path / "a.csv"
    by_csv()(path, [(f"text {i}", label if i == 7 else str(i)) for i in range(20)])
    spec = DataSpec(source=str(path))
    with pytest.raises(DataError, match=f"in row 8 of 'a.csv' is not a finite number: .*{remedy}"):
        cut_parts(read_tables(spec, tmp_path), spec, "number")


def first_line(error: DataError) -> str:
    assert "\n" not in str(error) and len(str(error)) < 500
    return str(error)


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as raised:
        read_tables(DataSpec(source=str(path), **options), path.parent)
    return first_line(raised.value)


ROWS_OF_TWO = [(f"text {i}", "ab"[i % 2]) for i in range(20)]


def test_a_part_without_usable_rows_is_said(tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    by_csv()(folder / "train.csv", ROWS_OF_TWO)
    by_csv()(folder / "test.csv", [("text", "")])
    tables = read_tables(DataSpec(source=str(folder)), tmp_path)
    assert "test" not in tables
    assert any("the test part has no usable row (1 without" in n for n in tables["train"].notes)


def test_a_label_within_an_object_is_a_label(tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    for part in ("train", "test"):
        lines = [json.dumps({"text": t, "meta": {"stars": y}}) for t, y in ROWS_OF_TWO]
        (folder / f"{part}.jsonl").write_text("\n".join(lines))
    tables = read_tables(DataSpec(source=str(folder), label="meta.stars"), tmp_path)
    assert len(tables["test"].texts) == 20


def test_a_stray_pair_among_numbers_is_found(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"Great start\t3.71\nplain\t2.5\nthe end"\t2.13\nmore\t1.5\n')
    assert "row 1 holds 3 rows" in refusal(path)
    assert (
        len(read_tables(DataSpec(source=str(path), quoting="none"), tmp_path)["train"].texts) == 4
    )


def test_a_quoted_word_in_the_first_row_is_no_traceback(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('"Titanic" is great\tlabel\nx\ta\n')
    assert "looks like the text" in refusal(path)
    (tmp_path / "a.csv").write_text('"text" ,label\nx,a\n')
    assert "data.quoting = 'none'" in refusal(tmp_path / "a.csv")


def test_bytes_of_many_kinds(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(("text,label\n" + "плохой фильм,а\n" * 50).encode("cp1251"))
    assert "name its encoding with data.encoding, such as 'cp1251'" in refusal(path)
    assert len(read_tables(DataSpec(source=str(path), encoding="cp1251"), tmp_path)["train"].texts)
    assert "no such encoding of text" in refusal(path, encoding="hex")
    assert "no such encoding of text" in refusal(path, encoding="no-such")
    path.write_bytes("text,label\nx,a\n".encode("utf-16-le"))
    assert "data.encoding = 'utf-16-le'" in refusal(path)
    path.write_text("text,label\ncaf\xe9,a\n", encoding="utf-8")
    assert "it looks like utf-8" in refusal(path, encoding="ascii")


def test_damaged_archives_and_files(tmp_path):
    path = tmp_path / "a.csv.gz"
    by_gzip(path, ROWS_OF_TWO * 50)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert "cannot read" in refusal(path)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nothing")
    assert "cannot read" in refusal(tmp_path / "a.parquet")


def test_zstandard_is_read(tmp_path):
    import pyarrow

    path = tmp_path / "a.csv.zst"
    with pyarrow.output_stream(str(path), compression="zstd") as stream:
        stream.write(b"text,label\nx,a\ny,b\n")
    assert read_tables(DataSpec(source=str(path)), tmp_path)["train"].texts == ["x", "y"]


def test_links_that_lead_nowhere_are_refused_and_others_followed(tmp_path):
    folder, elsewhere = tmp_path / "d", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    by_csv()(folder / "train.csv", ROWS_OF_TWO)
    by_csv()(elsewhere / "part.csv", ROWS_OF_TWO)
    (folder / "test").symlink_to(elsewhere)
    (folder / "about.xlsx").write_text("x")
    found = find_source(str(folder))
    assert [p.name for p in found.parts["test"]] == ["part.csv"]
    assert "of no known format, so passed over: about.xlsx" in found.notes
    (folder / "more.csv").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match="is a link that leads nowhere"):
        find_source(str(folder))


def test_names_of_single_texts_tell_no_part(tmp_path):
    for kind in ("car", "bus"):
        (tmp_path / "d" / kind).mkdir(parents=True)
        for name in ("test-drive", "a", "dev_7"):
            (tmp_path / "d" / kind / f"{name}.txt").write_text(f"{kind} {name}")
    assert {part: len(files) for part, files in find_source(str(tmp_path / "d")).parts.items()} == {
        "train": 6
    }


def test_json_in_shapes_that_almost_fit(tmp_path):
    path = tmp_path / "a.json.gz"
    with gzip.open(path, "wt") as file:
        file.write('{"text": ["x", "y"], "label": ["a", "b"]}')
    assert read_tables(DataSpec(source=str(path)), tmp_path)["train"].texts == ["x", "y"]
    path = tmp_path / "a.json"
    path.write_text('{"label":{"0":"1","1":"0"},"text":{"0":"a","1":"b","2":"c"}}')
    table = read_tables(DataSpec(source=str(path)), tmp_path)["train"]
    assert (table.texts, table.left_out) == (["a", "b"], [3])
    path.write_text('{"columns": ["text", "label"], "data": [["a", "b"], ["c"]]}')
    assert "row 2 has not 2 cells" in refusal(path)
    path.write_text('{"columns": ["text"], "data": null}')
    assert "are no lists" in refusal(path)
    path.write_text('[{"text": "x", "label": ' + "9" * 5000 + "}]")
    assert "digits" in refusal(path)


def test_a_comma_that_parts_no_thousands(tmp_path):
    from trainables.data.splitting.parts import cut_parts

    path = tmp_path / "a.csv"
    by_csv()(path, [(f"text {i}", "12,50" if i == 3 else "1,250") for i in range(20)])
    spec = DataSpec(source=str(path), thousands=",")
    with pytest.raises(DataError, match="label '12,50' in row 4"):
        cut_parts(read_tables(spec, tmp_path), spec, "number")


@pytest.mark.parametrize(
    ("source", "setting"),
    [
        ("imdb", {"encoding": "latin-1"}),
        ("a.parquet", {"header": False}),
        ("a.jsonl.gz", {"delimiter": ";"}),
        ("a.json", {"quoting": "none"}),
    ],
)
def test_a_dialect_without_effect_is_refused(source, setting):
    with pytest.raises(ValueError, match="has no effect"):
        DataSpec(source=source, **setting)


def test_a_dialect_that_says_what_is_so_anyway_is_not():
    assert DataSpec(source="imdb", header=True, quoting="auto").quoting == "auto"
    assert DataSpec(source="a.jsonl", encoding="cp1252").encoding == "cp1252"


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_an_object_with_equal_keys_is_refused(tmp_path, name):
    path = tmp_path / name
    rows = [f'{{"text": "t {i}", "label": "{"ab"[i % 2]}"}}' for i in range(20)]
    rows[3] = '{"text": "one", "label": "a", "text": "another"}'
    path.write_text("\n".join(rows) if name == "a.jsonl" else f"[{','.join(rows)}]")
    with pytest.raises(DataError, match="an object has the key 'text' twice"):
        read_tables(DataSpec(source=str(path)), tmp_path)


def test_columns_are_chosen_once_for_all_parts(tmp_path):
    """By its own rows the second file would be read otherwise: its ``label`` has two values."""
    header = "text,label,sentiment"
    train = [f"text {i},same,{'ab'[i % 2]}" for i in range(20)]
    validation = [f"text {i},{'cd'[i % 2]},{'ab'[i % 2]}" for i in range(20, 40)]
    (tmp_path / "train.csv").write_text("\n".join([header, *train]))
    (tmp_path / "validation.csv").write_text("\n".join([header, *validation]))
    tables = read_tables(DataSpec(source=str(tmp_path)), tmp_path)
    assert {part: set(table.labels) for part, table in tables.items()} == {
        "train": {"a", "b"},
        "validation": {"a", "b"},
    }


def test_a_part_with_a_column_of_another_name_is_said(tmp_path):
    for name, column in (("train", "label"), ("test", "sentiment")):
        rows = [f"{name} {i},{'ab'[i % 2]}" for i in range(20)]
        (tmp_path / f"{name}.csv").write_text("\n".join([f"text,{column}", *rows]))
    tables = read_tables(DataSpec(source=str(tmp_path)), tmp_path)
    assert "the labels of 'test.csv' are in column 'sentiment'" in tables["test"].notes


def test_a_column_called_label_is_judged_by_all_files_of_training(tmp_path):
    for shard, label in enumerate("ab"):
        rows = [f"text {shard} {i},{label},{i % 5}" for i in range(20)]
        (tmp_path / f"train-{shard}.csv").write_text("\n".join(["text,label,rating", *rows]))
    table = read_tables(DataSpec(source=str(tmp_path)), tmp_path)["train"]
    assert set(table.labels) == {"a", "b"}


def test_a_dialect_without_effect_on_a_folder_is_refused(tmp_path):
    by_pandas("to_parquet")(tmp_path / "train.parquet", ROWS_OF_TWO)
    for setting in ({"delimiter": ";"}, {"header": False}, {"encoding": "latin-1"}):
        assert "has no effect: " in refusal(tmp_path, **setting)
    for kind in ("pos", "neg"):
        (tmp_path / "texts" / kind).mkdir(parents=True)
        (tmp_path / "texts" / kind / "1.txt").write_text("x")
    assert "data.delimiter has no effect: " in refusal(tmp_path / "texts", delimiter=";")
    assert read_tables(DataSpec(source=str(tmp_path / "texts"), encoding="latin-1"), tmp_path)


@pytest.mark.parametrize(
    ("named", "written"),
    [
        ("utf-8", "utf-8-sig"),
        ("UTF8", "utf-8-sig"),
        ("utf-16-le", "utf-16"),
        ("utf-8-sig", "utf-8-sig"),
    ],
)
def test_a_mark_that_agrees_with_the_named_encoding_is_no_text(tmp_path, named, written):
    content = "text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS_OF_TWO)
    (tmp_path / "a.csv").write_bytes(content.encode(written))
    table = read_tables(DataSpec(source=str(tmp_path / "a.csv"), encoding=named), tmp_path)["train"]
    assert table.texts == [text for text, _ in ROWS_OF_TWO]
