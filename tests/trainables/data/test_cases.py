"""Small files as people have them, each with what is right: read so, or refused with a remedy."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.spec.study import read_toml
from trainables.data.corpus import Corpus, prepare
from trainables.data.spec import DataSpec
from trainables.data.splitting.parts import cut_parts
from trainables.data.tables.read import read_tables
from trainables.errors import DataError
from trainables.storage import Cache

CASES = Path(__file__).parent / "cases"


@dataclass
class Read:
    """What is read: how many rows of which classes in all, and what is said."""

    rows: int = 80
    classes: tuple[str, ...] = ("bad", "good")
    said: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Refused:
    """What is said, and by which settings the file is read then."""

    said: str
    options: dict[str, Any] = field(default_factory=dict)
    then: dict[str, Any] = field(default_factory=dict)


NUMBER = {"label": "target"}

RIGHT: dict[str, Read | Refused] = {
    "unquoted_comma_all.csv": Refused(r"row 1 \(line 2\) has 3 cells, the header has 2"),
    "unquoted_comma_mixed.csv": Refused(r"row 1 \(line 2\) has 3 cells, the header has 2"),
    "trailing_comma.csv": Read(said="an empty cell at the end of every row is no cell"),
    "stray_quote_pair.tsv": Read(said="quotes in it are letters"),
    "json_one_number.jsonl": Read(),
    "json_mixed_words.jsonl": Read(classes=("1", "bad", "good")),
    "zero_padded.csv": Read(classes=("001", "1", "002", "2")),
    "zip_codes.csv": Read(classes=("01234", "98765")),
    "big_int_empty.csv": Read(79, ("9007199254740992", "9007199254740993"), "1 rows of the train"),
    "int_with_empty.csv": Read(79, ("0", "1"), "left out for want of a text or a label: 6"),
    "spaced_header.csv": Read(said="blanks around the names of columns were taken off"),
    "spaced_labels.csv": Read(said="blanks around 16 labels were taken off"),
    "bool_labels.csv": Read(classes=("False", "True")),
    "minus_one.csv": Read(classes=("-1", "0", "1")),
    "single_row_classes.csv": Read(classes=("bad", "good", *(f"rare{i}" for i in range(5)))),
    "tags_only.csv": Read(),
    "crlf.csv": Read(),
    "tab.csv": Read(said="parted by '\\t'"),
    "bom.csv": Read(),
    "dict.parquet": Read(),
    "f_shards": Read(100, said="train: train-00000-of-00002.csv, train-00001-of-00002.csv"),
    "f_eval": Read(said="validation: eval.csv"),
    "f_upper": Read(said="test: TEST.CSV"),
    "f_ipynb": Read(said="1 hidden files, such as checkpoint copies, were passed over"),
    "f_mac": Read(60, said="1 hidden files"),
    "test_no_label": Read(60, said="the test part has no labels: it is left out"),
    "f_leakval": Refused(
        "60 of 60 validation texts stand in training as well", then={"overlap": "keep"}
    ),
    "f_aclimdb": Refused("2 different texts are too few"),
    "conflict.csv": Read(160, said="80 texts have more than one label"),
    "utf16.csv": Read(),
    "latin1.csv": Refused("write data.encoding = 'latin-1'", then={"encoding": "latin-1"}),
    "noheader.csv": Refused(
        "if there is no header, write data.header = false",
        then={"header": False, "text": "0", "label": "1"},
    ),
    "semicolon3.csv": Read(said="parted by ';'"),
    "wrapped.json": Read(),
    "byid.json": Read(),
    "columns.json": Read(),
    "nested.jsonl": Refused("data.text = 'review.text'", then={"text": "review.text"}),
    "json_text_list.jsonl": Read(),
    "numeric_texts.csv": Read(),
    "two_candidates.csv": Read(said="the texts are in column 'sentence', not in 'text'"),
    "binary.parquet": Read(),
    "decimal.parquet": Read(classes=("0", "1")),
    "few_per_class_5.csv": Read(385, tuple(f"intent{i:02}" for i in range(77))),
    "cjk.csv": Read(said="read character by character"),
    "many_classes.csv": Read(1200, tuple(f"c{i:03}" for i in range(120))),
    "odd_class_names.jsonl": Read(
        classes=("a as b", "a/b", " ".join(["very"] * 78), "x\ty\nz", "ü 😀"),
    ),
    "as_labels.csv": Read(classes=("above", "same as above", "spam | ham")),
    "UPPER.CSV": Read(),
    "reg_r_na.csv": Refused(
        r"label 'NA' in row 1 of 'reg_r_na.csv' .* write data.missing = \['NA'\]",
        NUMBER,
        then={"missing": ("NA",)},
    ),
    "reg_thousands.csv": Refused(
        "label '1,100' in row 1 .* write data.thousands = ','", NUMBER, then={"thousands": ","}
    ),
    "reg_outlier.csv": Read(classes=(), said=r"1e+30 in row 4", options=NUMBER),
    "reg_ts.csv": Read(classes=(), options=NUMBER),
}


def read(name: str, tmp_path: Path, **options: Any) -> Corpus:
    labels: Any = "number" if options.get("label") == "target" else "class"
    return prepare(DataSpec(source=str(CASES / name), **options), Cache(tmp_path), labels)


def test_every_file_has_its_right_outcome():
    assert {path.name for path in CASES.iterdir()} == {*RIGHT, "study_bom.toml"}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right(name, tmp_path):
    right = RIGHT[name]
    if isinstance(right, Refused):
        with pytest.raises(DataError, match=right.said) as raised:
            read(name, tmp_path, **right.options)
        assert "\n" not in str(raised.value) and len(str(raised.value)) < 500
        if right.then:
            assert sum(read(name, tmp_path, **right.options, **right.then).sizes.values()) > 50
        return
    corpus = read(name, tmp_path, **right.options)
    assert sum(corpus.sizes.values()) == right.rows
    assert all(corpus.sizes.values()), "a part is empty"
    if name != "odd_class_names.jsonl":
        assert corpus.classes == right.classes
    assert right.said in " ".join(corpus.notes)
    if not right.said and name not in ("odd_class_names.jsonl",):
        assert not [note for note in corpus.notes if "validation tokens" not in note]


def tables_of(name: str, **options: Any) -> dict[str, Any]:
    return read_tables(DataSpec(source=str(CASES / name), **options), Path())


def test_texts_are_letter_for_letter():
    lines = (CASES / "json_one_number.jsonl").read_text().splitlines()
    written = [str(json.loads(line)["text"]) for line in lines]
    assert tables_of("json_one_number.jsonl")["train"].texts == written
    texts = tables_of("stray_quote_pair.tsv")["train"].texts
    assert [text for text in texts if '"' in text] == [
        '"bad ending story scene dull film film stupid 10',
        '"dreadful cast dull camera camera camera gloomy story 50',
    ]
    assert tables_of("json_text_list.jsonl")["train"].texts[0].startswith("poor ending cast")


def test_timestamps_stay_distinct_and_an_outlier_spoils_nothing():
    for name, distinct in (("reg_ts.csv", 80), ("reg_outlier.csv", 2)):
        spec = DataSpec(source=str(CASES / name), label="target")
        parts = cut_parts(read_tables(spec, Path()), spec, "number")
        every = np.concatenate([*parts.labels.values()])
        assert len(set(every)) >= distinct and np.isfinite(every).all()


@pytest.mark.parametrize("later", ["extra", "label"])
def test_a_column_that_changes_its_type_after_ten_thousand_rows(tmp_path, later):
    lines = ["text,label,year"]
    for i in range(12_000):
        odd = i > 11_000
        label = "unknown" if odd and later == "label" and i % 2 else str(i % 2)
        lines.append(f"poor actor {i},{label},{'n.d.' if odd and later == 'extra' else 1999}")
    (tmp_path / "a.csv").write_text("\n".join(lines))
    corpus = prepare(DataSpec(source=str(tmp_path / "a.csv")), Cache(tmp_path))
    assert corpus.classes == (("0", "1") if later == "extra" else ("0", "1", "unknown"))
    assert sum(corpus.sizes.values()) == 12_000


def test_a_study_file_with_a_byte_order_mark():
    assert read_toml(CASES / "study_bom.toml")["name"] == "mine"
