"""What is written as CSV, read back by Python, by pandas and by our own reader."""

import csv

import pandas
import pytest

from trainables.data.csv_writing import csv_writer
from trainables.data.reading.delimited import read_delimited
from trainables.data.reading.rows import Dialect

TEXTS = ["a\rb", "plain", "two\nlines", "two\r\nlines", "\r", "ends so\r\n", '"a", b', ""]


@pytest.fixture
def path(tmp_path):
    with (tmp_path / "out.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv_writer(file, ["id", "te\rxt"])
        writer.writeheader()
        writer.writerows({"id": number, "te\rxt": text} for number, text in enumerate(TEXTS))
    return tmp_path / "out.csv"


def test_every_reader_finds_every_cell_again(path):
    with path.open(newline="") as file:
        assert [row["te\rxt"] for row in csv.DictReader(file)] == TEXTS
    assert pandas.read_csv(path, keep_default_na=False)["te\rxt"].tolist() == TEXTS
    (ours,) = read_delimited(path, Dialect(), ",").columns(["te\rxt"])
    assert ours == TEXTS


def test_a_row_ends_by_a_newline_alone(path):
    assert path.read_bytes().startswith(b'id,"te\rxt"\n0,"a\rb"\n1,plain\n')
