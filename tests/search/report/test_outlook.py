"""How a search stands, in words."""

import pytest

from search.journal.events import Finding, OutlookTaken
from search.report.final import final_lines
from search.report.outlook import sentences
from tests.study_harness import StudyHarness


def said(tmp_path, tables, figures: dict[str, float], *found: Finding) -> str:
    state = StudyHarness(tmp_path, tables).study.state
    usual = {"mean": 0.9, "se": 0.01, "chance": 0.5, "gain": 0.0, "gain_low": 0.0, "gain_high": 0.0}
    outlook = {"ended": 9, "leader": 3, "left": 5, "findings": list(found)} | usual | figures
    state.apply(OutlookTaken.model_validate(outlook))
    return "\n".join(sentences(state))


def test_figures_of_an_accuracy_have_four_decimals(tmp_path, tables):
    figures = {"mean": 0.85972, "se": 0.01934, "gain": 0.0012, "gain_low": -2e-5, "gain_high": 0.01}
    text = said(tmp_path, tables, figures | {"chance": 1.0})
    assert "val/accuracy 0.8597 ± 0.0193 on average" in text
    assert "5 more trials may gain 0.0012 (0.0000 to 0.0100)" in text
    assert "truly the best of those tried is over 99%" in text


def test_those_of_a_small_metric_have_more(tmp_path, tables):
    figures = {"mean": 1.234e-5, "se": 2e-7, "gain": 3e-7, "gain_low": 1e-7, "gain_high": 9e-7}
    found = Finding(kind="no_gain", value=2e-7, other=4e-7)
    text = said(tmp_path, tables, figures, found)
    assert "0.00001234 ± 0.00000020" in text and "gain 0.00000030 (0.00000010 to" in text
    assert "beyond chance, +0.00000020 ± 0.00000040:" in text


@pytest.mark.parametrize("grace", [1, 2])
def test_a_mild_halving_is_told_what_can_still_be_changed(tmp_path, tables, grace):
    tables["stopping"]["grace_epochs"] = grace
    text = said(tmp_path, tables, {}, Finding(kind="mild", value=0.7))
    assert ("lower stopping.grace_epochs" in text) == (grace > 1)
    assert "raise stopping.reduction_factor" in text
    assert "in a new study, or with `resume NAME --force --set stopping.KEY=VALUE`" in text


def test_a_small_metric_on_the_test_part():
    row = {"mean": 1.234e-5, "sd": 2e-7, "ci95": [1e-5, 2e-5], "test": [1.2e-5], "trial": 0}
    row |= {"epochs": 3, "ensemble": 1e-5, "scores": {"ece": None}}
    result = {"metric": "test/mae", "texts": 10, "test_opened": 1, "verdict": "better"}
    lines = final_lines(result | {"winner": row, "baseline": row})
    assert "0.00001234 ± 0.00000020 (0.00001000 to 0.00002000)" in lines[1]
