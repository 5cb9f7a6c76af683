"""Files of texts that are read row by row: as training reads them, or refused as it does."""

import csv
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainables.data.reading.delimited import Delimited
from trainables.data.reading.parquet import ParquetRows
from trainables.data.reading.rows import Dialect
from trainables.errors import DataError
from trainables.serving.streams import Source, read_stream


def texts(path: Path, content: str, **dialect: Any) -> list[str]:
    path.write_text(content, newline="")
    return [row.text for row in read_stream(Source(str(path), None, (), Dialect(**dialect)))]


def with_stray_pair(rows: list[str]) -> str:
    rows[5], rows[9] = f'"{rows[5]}', rows[9].replace(",", '",', 1)
    return "\n".join(rows)


@pytest.mark.parametrize("more", ["{kind}", "{i}", "{i}.5,{kind}", "tt{i},2024-01-{i}"])
def test_rows_that_a_pair_of_stray_quotes_swallows_are_refused(tmp_path, more):
    rows = [f"film {i}," + more.format(i=i, kind="ab"[i % 2]) for i in range(20)]
    header = "text," + ",".join(f"c{i}" for i in range(more.count(",") + 1)) + "\n"
    path, content = tmp_path / "a.csv", header + with_stray_pair(rows)
    with pytest.raises(DataError, match=r"row 6 holds 5 rows: .*'none'; if it is one text, 'doub"):
        texts(path, content)
    assert len(texts(path, content, quoting="none")) == 20
    assert len(texts(path, content, quoting="double")) == 16


def test_texts_of_several_lines_are_read(tmp_path):
    rows = [f'"Hello, world\nBye {i}",{"ab"[i % 2]}\n' for i in range(9)]
    assert texts(tmp_path / "a.csv", "text,label\n" + "plain,a\n" + "".join(rows))[1:] == [
        f"Hello, world\nBye {i}" for i in range(9)
    ]


CELLS = st.text(st.sampled_from('ab1 ,;"\n\t'), max_size=8)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8),
    columns=st.sampled_from([1, 2]),
)
def test_what_a_program_has_written_is_read_back_or_refused(rows, columns, tmp_path):
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label")[:columns], *(row[:columns] for row in rows)])
    source = Source(str(tmp_path / "a.csv"), None, (), Dialect())
    try:
        found = [row.text for row in read_stream(source)]
    except DataError as error:
        assert "holds" in str(error) and columns == 2
        return
    assert found == [text for text, _ in rows]


def test_an_empty_line_of_a_single_column_is_an_empty_text(tmp_path):
    assert texts(tmp_path / "a.csv", "text\nx\n\ny\n") == ["x", "", "y"]
    assert texts(tmp_path / "b.csv", "text,id\nx,1\n\ny,2\n") == ["x", "y"]


def test_an_empty_cell_at_the_end_of_every_row_is_no_cell(tmp_path):
    path = tmp_path / "a.csv"
    assert texts(path, "text,id\nx,1,\ny,2,\n") == ["x", "y"]
    for rows, said in (
        ("x,1,\ny,2\n", "row 1 has 3"),
        ("x,1\ny,2,\n", r"row 2 \(line 3\) has 3"),
        ("x,1,\ny,2,3\n", r"row 2 \(line 3\) has 3"),
    ):
        with pytest.raises(DataError, match=f"{said} cells, the header has 2"):
            texts(path, f"text,id\n{rows}")


def test_a_dialect_without_effect_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n')
    (tmp_path / "a.txt").write_text("x\n")
    for name in ("a.jsonl", "a.txt"):
        with pytest.raises(DataError, match=r"data.delimiter has no effect: "):
            read_stream(Source(str(tmp_path / name), None, (), Dialect(delimiter=";")))
    with pytest.raises(DataError, match=r"data.header has no effect: 'the input' is .txt"):
        read_stream(Source("-", None, (), Dialect(header=False)))


def test_a_column_of_texts_is_told_by_its_first_rows_alone(tmp_path, monkeypatch):
    """A file may be larger than the memory."""
    rows = [{"text": f"x{i}", "review": f"film {i} is warm"} for i in range(1000)]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet", row_group_size=50)
    for name, delimiter in (("a.csv", ","), ("a.tsv", "\t")):
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, [*columns], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)

    def whole(self, names):
        raise AssertionError("the whole file was read")

    for kind in (Delimited, ParquetRows):
        monkeypatch.setattr(kind, "columns", whole)
    for name in ("a.csv", "a.tsv", "a.parquet"):
        notes = list[str]()
        source = Source(str(tmp_path / name), None, (), Dialect())
        assert [row.text for row in read_stream(source, notes.append)] == columns["review"]
        assert notes == ["the texts are in column 'review', not in 'text': data.text names another"]


def test_a_file_that_is_malformed_behind_the_first_rows_is_refused_where_it_is(tmp_path):
    rows = [f"x{i},film {i} is warm" for i in range(300)]
    content = "\n".join(["text,review", *rows, "one,two,three"])
    with pytest.raises(DataError, match=r"row 301 \(line 302\) has 3 cells"):
        texts(tmp_path / "a.csv", content)
