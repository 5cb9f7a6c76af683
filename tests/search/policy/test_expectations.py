"""What trials would come to at their ends."""

import numpy as np
import pytest

from search.policy.expectations import expectations
from tests.search.policy.searches import hill, pausing, search, study


def expected(tmp_path, tables, value, trials: int = 30):
    harness = study(tmp_path, pausing(tables, "random"), trials)
    search(harness, value)
    return expectations(harness.study.state)


def test_who_was_trained_to_the_end_has_shown_it_and_others_gain_what_those_did(tmp_path, tables):
    """Every trial gains alike: 0.0375 from the first epoch to the fourth."""
    peak = hill()
    known = expected(tmp_path, tables, peak)
    assert 0 < known.whole_N.sum() < len(known.trials)
    ends = [-peak(trial.params, trial.number, 4) for trial in known.trials]
    assert known.costs_N == pytest.approx(ends, abs=1e-9)
    assert not known.variances_N[known.whole_N].any()


@pytest.mark.lengthy
def test_few_that_gained_alike_do_not_make_sure_that_all_will(tmp_path, tables):
    few = expected(tmp_path / "few", tables, hill(), trials=12)
    many = expected(tmp_path / "many", tables, hill(), trials=60)
    errors = [float(np.sqrt(k.variances_N[~k.whole_N].max())) for k in (few, many)]
    assert 0.0375 > errors[0] > 1.5 * errors[1] > 0.0
