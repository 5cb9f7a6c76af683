"""Every sampler that a study may name."""

import optuna
import pytest
from optuna.search_space import IntersectionSearchSpace

from search.errors import SpecError
from search.policy.samplers.epoch_aware.history import STEP_SECONDS
from search.policy.samplers.optuna_adapter import OptunaSampler
from search.policy.samplers.registry import SAMPLERS, check_sampler
from search.spec.resolve import resolve
from tests.contracts.sampler import SamplerContract
from tests.study_harness import StudyHarness, changed

#: A Gaussian process is fitted anew at each question.
SLOW = {"gp": pytest.mark.slow}


class TestSamplers(SamplerContract):
    @pytest.fixture(params=[pytest.param(name, marks=SLOW.get(name, ())) for name in SAMPLERS])
    def make(self, request):
        return SAMPLERS[request.param]


def test_a_misspelt_sampler_is_told(tables):
    with pytest.raises(SpecError, match="no such sampler: known: auto, gp, random, tpe"):
        check_sampler(resolve(tables | {"search": {"sampler": "grid"}}, "x"))
    with pytest.raises(SpecError, match="did you mean 'random'"):
        check_sampler(resolve(tables | {"search": {"sampler": "randon"}}, "x"))


def test_a_trials_pace_is_its_epochs_where_there_are_no_rungs_too(tmp_path, tables):
    """By the clock a replayed search would take another way than the live one."""
    tables["stopping"] |= {"max_epochs": 3, "grace_epochs": 3}
    harness = StudyHarness(tmp_path, tables)
    work = harness.begin()
    for epoch in (1, 2, 3):
        harness.report(work, epoch, 0.5, seconds=7.0)
    sampler = SAMPLERS["auto"]()
    assert isinstance(sampler, OptunaSampler)
    (told,) = sampler.history(harness.study.state).trials()
    assert told.system_attrs[STEP_SECONDS] == 7.0


def test_a_dimension_that_a_forced_change_adds_is_searched(tmp_path, tables):
    """Also by a Gaussian process, which searches only what all of its trials share."""
    tables["search"] |= {"sampler": "random", "trials": 60}
    harness = StudyHarness(tmp_path, tables)
    harness.crash_and_reopen(total=60)
    finish(harness, 5)
    running = harness.study.next()
    tables["space"]["weight_decay"] = {"low": 0.0, "high": 1.0}
    tables["space"]["learning_rate"] = {"low": 1e-3, "high": 1e-2, "log": True}
    harness.crash_and_reopen(total=60, change=changed(resolve(tables, "x")))
    assert harness.study.next().number == running.number
    harness.report(running.model_copy(update={"attempt": 2}), 1, 0.5)
    finish(harness, 12)
    for name, sees in (("gp", {*tables["space"]}), ("tpe", {"hidden_size", "dropout"})):
        sampler = SAMPLERS[name]()
        assert isinstance(sampler, OptunaSampler)
        storage = sampler.history(harness.study.state).storage
        study = optuna.load_study(study_name="seqtune", storage=storage)
        assert set(IntersectionSearchSpace().calculate(study)) == sees
        assert len(study.trials) == len(harness.study.state.trials)


def finish(harness, total):
    """Train new trials to their ends until ``total`` have ended."""
    while harness.study.state.trials.ended < total:
        work = harness.study.next()
        epoch = 1
        while harness.report(work, epoch, 0.5):
            epoch += 1
