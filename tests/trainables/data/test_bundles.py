"""What belongs together falls in one part: texts, groups, blocks."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.spec import DataSpec
from trainables.data.splitting.bundles import bundle
from trainables.data.splitting.parts import cut_parts
from trainables.data.tables.read import read_tables
from trainables.data.tables.table import BLOCK_ROWS
from trainables.errors import DataError

ROWS = st.lists(
    st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 5))), min_size=1, max_size=60
)


@pytest.mark.lengthy
@given(ROWS)
def test_components_are_a_partition_closed_under_text_and_group(rows):
    texts = [f"t{text}" for text, _ in rows]
    groups = [None if group is None else f"g{group}" for _, group in rows]
    found = bundle(texts, groups, None)
    assert sorted(row for rows_ in found for row in rows_) == list(range(len(texts)))
    home = {row: index for index, rows_ in enumerate(found) for row in rows_}
    for one in range(len(texts)):
        for other in range(one):
            shares = texts[one] == texts[other] or (
                groups[one] is not None and groups[one] == groups[other]
            )
            assert not shares or home[one] == home[other]


def test_a_chain_of_shared_texts_and_groups_is_one():
    assert bundle(["a", "a", "b", "c"], ["1", "2", "2", None], None) == [[0, 1, 2], [3]]
    assert bundle(["a", "b", "c"], [], [0, 0, 1]) == [[0, 1], [2]]


@pytest.fixture
def patients(tmp_path):
    lines = ["text,label,patient"]
    lines += [f"visit {i} of many,{'ab'[i % 2]},{i // 10 if i % 7 else ''}" for i in range(600)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines))
    return path


def parts_of(path, **options):
    spec = DataSpec(source=str(path), **options)
    return cut_parts(read_tables(spec, path.parent), spec, "class")


def test_rows_of_one_group_are_in_one_part_and_the_shares_hold(patients):
    parts = parts_of(patients, group="patient")
    home: dict[str, set[str]] = {}
    for part, texts in parts.texts.items():
        for text in texts:
            row = int(text.split()[1])
            if row % 7:
                home.setdefault(str(row // 10), set()).add(part)
    assert all(len(some) == 1 for some in home.values())
    assert abs(len(parts.texts["train"]) - 480) <= 15
    with pytest.raises(DataError, match=r"no column 'doctor' \(data.group\)"):
        parts_of(patients, group="doctor")


def test_blocks_of_rows_stay_together(patients):
    parts = parts_of(patients, split_by="block", split=(0.6, 0.2, 0.2))
    home: dict[int, set[str]] = {}
    for part, texts in parts.texts.items():
        for text in texts:
            home.setdefault(int(text.split()[1]) // BLOCK_ROWS, set()).add(part)
    assert all(len(some) == 1 for some in home.values()) and len(home) == 6
    assert all(np.bincount(y).min() > 0 for y in parts.labels.values())


def test_a_block_is_of_one_file(tmp_path):
    for shard in "abc":
        rows = [f"{shard} {i},{'ab'[i % 2]}" for i in range(BLOCK_ROWS)]
        (tmp_path / f"{shard}.csv").write_text("\n".join(["text,label", *rows]))
    parts = parts_of(tmp_path, split_by="block", split=(0.34, 0.33, 0.33))
    assert [{text[0] for text in texts} for texts in parts.texts.values()] in [
        [{first}, {second}, {third}] for first, second, third in itertools.permutations("abc")
    ]


def test_a_group_larger_than_a_part_is_said(tmp_path):
    path = tmp_path / "a.csv"
    lines = [f"text {i},{'ab'[i % 2]},{'one' if i < 60 else i}" for i in range(120)]
    path.write_text("\n".join(["text,label,who", *lines]))
    parts = parts_of(path, group="who")
    assert "60 rows belong together, more than the smallest part holds" in parts.notes[0]
