"""A sampler sees the latest and the best of what has ended, and all that has not."""

from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.samplers._tpe.sampler import _split_trials

from search.policy.samplers import window
from search.policy.samplers.window import RecentTrialsStorage
from search.spec.objective import Objective
from trainables.tasks.declaration import Mode


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    monkeypatch.setattr(window, "LATEST", 4)
    monkeypatch.setattr(window, "BEST", 2)


def study_of(mode: Mode, ends: list[tuple[str, float]]) -> optuna.Study:
    """A trial for each: ``c`` completed, ``p`` pruned after two epochs, ``e`` after one, ``f``
    failed, ``r`` running."""
    objective = Objective("val/x", mode)
    study = optuna.create_study(
        storage=RecentTrialsStorage(), sampler=optuna.samplers.RandomSampler(seed=0)
    )
    states = {"c": "COMPLETE", "p": "PRUNED", "e": "PRUNED", "f": "FAIL"}
    for kind, value in ((kind, objective.cost(value)) for kind, value in ends):
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        for epoch in range(1, 2 if kind == "e" else 3):
            study._storage.set_trial_intermediate_value(trial._trial_id, epoch, value)
        if kind != "r":
            study._storage.set_trial_state_values(
                trial._trial_id, optuna.trial.TrialState[states[kind]], [value]
            )
    return study


def seen(study: optuna.Study) -> list[int]:
    return [trial.number for trial in study.get_trials(deepcopy=False)]


def test_a_short_search_is_seen_whole():
    assert seen(study_of("max", [("c", 0.1), ("f", 0.2), ("p", 0.3), ("r", 0.4)])) == [0, 1, 2, 3]


@pytest.mark.parametrize(("mode", "best"), [("max", [1, 4]), ("min", [0, 3])])
def test_of_a_long_one_the_latest_and_the_best(mode, best):
    ends = [("c", value) for value in (0.1, 0.9, 0.5, 0.2, 0.8, 0.6, 0.4, 0.5, 0.6, 0.5)]
    assert seen(study_of(mode, ends)) == [*best, 6, 7, 8, 9]


def test_one_that_runs_is_always_seen():
    assert seen(study_of("max", [("r", 0.0), *[("c", 0.5)] * 8]))[0] == 0


def test_one_that_completed_is_better_than_one_that_was_stopped_as_tpe_has_it():
    ends = [("p", 0.9), ("c", 0.1), ("e", 0.99), ("p", 0.8), *[("e", 0.5)] * 5]
    assert seen(study_of("max", ends)) == [0, 1, 5, 6, 7, 8]


def test_one_that_failed_is_seen_and_takes_nobodys_place():
    ends = [("f", 0.5), *[("c", 0.5)] * 4, ("f", 0.5)]
    assert seen(study_of("max", ends)) == [0, 1, 2, 3, 4, 5]


@settings(max_examples=60, deadline=None)
@given(
    ends=st.lists(st.tuples(st.sampled_from("cper"), st.sampled_from([0.1, 0.2, 0.3, 0.4]))),
    mode=st.sampled_from(["max", "min"]),
)
def test_all_that_tpe_calls_good_is_seen(ends, mode):
    """Held against Optuna's own division into good and bad."""
    study = study_of(mode, ends)
    storage: Any = study._storage
    everything = storage._studies[study._study_id].trials
    ended = [trial for trial in everything if trial.state.is_finished()]
    good, _ = _split_trials(study, ended, window.BEST)
    assert {trial.number for trial in good} <= set(seen(study))


def test_the_seen_do_not_grow():
    study = study_of("max", [("c", (index * 37 % 100) / 100) for index in range(60)])
    assert len(seen(study)) <= 6
    assert {27, 54} <= set(seen(study))  # 0.99 and 0.98
