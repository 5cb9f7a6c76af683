"""How predictions are printed."""

import csv
import io

import pytest

from search.cli.predictions import write_rows

ROWS = [
    {"text": text, "label": "good\nfilm", "probabilities": {"good\nfilm": 0.75, "bad": 0.25}}
    for text in ("warm", "a\rb", "two\nlines", '"quoted", and more')
]


@pytest.mark.parametrize("size", [1, 3, 4])
def test_csv_has_one_header_whatever_the_chunks(capsys, size):
    write_rows(iter([ROWS[at : at + size] for at in range(0, 4, size)]), "csv", None)
    found = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert [row["text"] for row in found] == [row["text"] for row in ROWS]
    assert {row["label"] for row in found} == {"good\nfilm"}
    assert {row["probabilities.good\nfilm"] for row in found} == {"0.75"}
