"""The record of when the test part was opened, and for whom."""

import pytest

from search.errors import SpecError
from search.final.openings import Openings


def test_an_opening_is_on_record_before_it_is_made(tmp_path):
    path = tmp_path / "openings.jsonl"
    record = Openings(path)
    record.open("finalize", force=False, chosen="a")
    assert Openings(path).count == 1 and Openings(path).result is None
    again = Openings(path)
    again.open("finalize", force=False, chosen="a")  # one without a result is gone on with
    assert again.count == 1
    again.close({"mean": 0.9})
    late = Openings(path)
    assert late.result == {"mean": 0.9}
    with pytest.raises(SpecError, match=r"opened before.*--force"):
        late.open("finalize", force=False, chosen="a")
    late.open("finalize", force=True, chosen="a")
    late.close({"mean": 0.8})
    lines = Openings(path).lines
    assert [line["event"] for line in lines] == ["opened", "result"] * 2
    assert [line["forced"] for line in lines if line["event"] == "opened"] == [False, True]


def test_a_torn_record_is_an_opening_that_was_not_made(tmp_path):
    path = tmp_path / "openings.jsonl"
    Openings(path).open("finalize", force=False, chosen="a")
    with path.open("ab") as file:
        file.write(b'{"event": "resu')
    record = Openings(path)
    assert record.count == 1 and record.result is None
    record.close({})
    assert Openings(path).result == {}


def test_who_reads_a_torn_record_leaves_it_alone(tmp_path):
    path = tmp_path / "openings.jsonl"
    Openings(path).open("finalize", force=False, chosen="a")
    torn = path.read_bytes() + b'{"event": "resu'
    path.write_bytes(torn)
    assert Openings(path).unfinished and path.read_bytes() == torn


def test_an_opening_without_a_result_is_finished_for_the_same_only(tmp_path):
    path = tmp_path / "openings.jsonl"
    Openings(path).open("finalize", force=False, chosen="a")
    record = Openings(path)
    assert record.may_finish("a") and not record.may_finish("b")
    with pytest.raises(SpecError, match=r"opened before.*--force"):
        record.open("finalize", force=False, chosen="b")
    record.open("finalize", force=True, chosen="b")
    assert (Openings(path).count, Openings(path).chosen) == (2, "b")
