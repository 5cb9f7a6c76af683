"""The sampler where people ask as they like: by code that fails, in threads, over odd values."""

import threading
import time
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import SuccessiveHalvingPruner
from optuna.trial import TrialState, create_trial
from threadpoolctl import threadpool_info

from search.policy.samplers.epoch_aware.distributions import Spaces, joined
from search.policy.samplers.epoch_aware.history import Reader, read, step_seconds
from search.policy.samplers.epoch_aware.places import SUGGESTED, asked
from search.policy.samplers.epoch_aware.ranks import Progress, scores
from search.policy.samplers.epoch_aware.sampler import EpochAwareSampler

optuna.logging.set_verbosity(optuna.logging.ERROR)


def study_of(seed: int = 0, pruner: optuna.pruners.BasePruner | None = None) -> optuna.Study:
    return optuna.create_study(sampler=EpochAwareSampler(seed), pruner=pruner)


def distinct(study: optuna.Study) -> int:
    return len({tuple(sorted(trial.params.items())) for trial in study.trials})


@pytest.mark.lengthy
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_where_all_are_alike_it_looks_everywhere(noise):
    """Most of the space is a plateau; what is better lies in a corner of its midst."""
    first = []
    for seed in range(12):
        study, rng = study_of(seed), np.random.default_rng(seed)

        def objective(trial: optuna.Trial, rng: np.random.Generator = rng) -> float:
            x, y = (trial.suggest_float(name, 0, 1) for name in "xy")
            good = 0.62 < x < 0.92 and 0.62 < y < 0.92
            return (0.0 if good else 1.0) + noise * rng.normal()

        study.optimize(objective, n_trials=60)
        found = [trial.number for trial in study.trials if trial.value < 0.5]
        first.append(min(found, default=60))
    assert np.median(first) < 30 and first.count(60) <= 2, first


def conditional(trial: optuna.Trial) -> float:
    x = trial.suggest_int("x", 0, 9)
    momentum = trial.suggest_int("m", 0, 9) if trial.suggest_categorical("o", "ab") == "a" else 5
    return float((x - 3) ** 2 + (momentum - 4) ** 2)


@pytest.mark.parametrize("state", [TrialState.FAIL, TrialState.RUNNING])
def test_a_trial_that_stops_before_it_has_asked_for_all_hides_nothing(state):
    study = study_of()
    study.optimize(conditional, n_trials=40)
    study.enqueue_trial({"o": "a"})
    trial = study.ask()
    trial.suggest_categorical("o", "ab")
    if state == TrialState.FAIL:
        study.tell(trial, state=TrialState.FAIL)
    before = distinct(study)
    study.optimize(conditional, n_trials=30)
    assert distinct(study) - before >= 28, "110 configurations: hardly one twice"


def test_what_would_be_left_out_is_not_tried_again():
    """Where no rule was learnt yet, a trial without a parameter stands for all with it."""
    study = study_of()
    study.optimize(conditional, n_trials=40)
    assert distinct(study) >= 38


@pytest.mark.lengthy
def test_a_finite_space_is_exhausted_before_anything_is_tried_again():
    study = study_of()
    study.optimize(
        lambda t: float(np.sin(9 * t.suggest_int("x", 0, 15)) + t.suggest_int("y", 0, 15)), 256
    )
    assert distinct(study) == 256


def test_workers_that_ask_at_the_same_time_get_different_configurations():
    study = study_of()
    study.optimize(lambda t: float(t.suggest_int("x", 0, 9) + t.suggest_int("y", 0, 9)), 30)
    asked = [tuple(study.ask().relative_params.values()) for _ in range(8)]
    assert len(set(asked)) == 8


def test_threads_of_one_study_try_each_configuration_once():
    study = study_of()

    def objective(trial: optuna.Trial) -> float:
        cost = (trial.suggest_int("x", 0, 5) - 2) ** 2 + (trial.suggest_int("y", 0, 5) - 3) ** 2
        time.sleep(0.03)  # so that all of them have one under way
        return float(cost)

    study.optimize(objective, n_trials=36, n_jobs=4)
    assert distinct(study) == 36


def test_threads_leave_the_linear_algebra_of_others_as_it_was():
    def blas() -> list[int]:
        return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]

    study = study_of()
    study.optimize(lambda t: t.suggest_float("x", 0, 1), n_trials=6)
    before = blas()
    study.optimize(lambda t: t.suggest_float("x", 0, 1), n_trials=40, n_jobs=6)
    assert blas() == before


def test_threads_may_share_a_reader():
    trials = [
        create_trial(
            state=TrialState.PRUNED,
            value=1.0,
            params={"x": 0.5},
            distributions={"x": FloatDistribution(0, 1)},
            intermediate_values=dict.fromkeys(range(1, 2 + number % 5), 1.0),
        )
        for number in range(200)
    ]
    reader, failed = Reader(), list[Exception]()

    def look() -> None:
        for count in range(20, 200, 3):
            try:
                reader.read(trials[:count], None, 1.0)
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_choices_that_are_lists():
    study = study_of()
    layers: Any = [[64], [64, 32], [128, 64, 32]]
    with pytest.warns(UserWarning, match="persistent storage"):
        study.optimize(lambda t: float(len(t.suggest_categorical("layers", layers))), n_trials=12)
    assert {len(trial.params["layers"]) for trial in study.trials} == {1, 2, 3}


def test_values_that_numpy_has_made():
    study = study_of()
    for value in range(10):
        study.add_trial(
            create_trial(
                params={"n": np.int64(value), "x": np.float32(value / 10)},
                distributions={"n": IntDistribution(0, 9), "x": FloatDistribution(0, 1)},
                value=float((value - 7) ** 2),
            )
        )
    space = {"n": IntDistribution(0, 9), "x": FloatDistribution(0, 1)}
    asked = [study.ask(space).params["n"] for _ in range(8)]
    assert np.median(np.abs(np.array(asked) - 7)) <= 2


def test_trials_that_have_reported_nothing_but_nan():
    study = optuna.create_study(
        sampler=EpochAwareSampler(0, rungs=(1, 3)), pruner=optuna.pruners.NopPruner()
    )
    for _ in range(10):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        trial.report(float("nan"), 1)
    assert len({trial.params["x"] for trial in study.trials}) == 10


@pytest.mark.lengthy
def test_ranges_that_change_from_trial_to_trial():
    wide, narrow = IntDistribution(0, 40), IntDistribution(0, 0)
    assert joined(wide, narrow) == joined(narrow, wide) == wide
    assert joined(FloatDistribution(0, 1), FloatDistribution(1, 2)) == FloatDistribution(0, 2)
    logarithmic = FloatDistribution(1, 2, log=True)
    assert joined(FloatDistribution(0, 1), logarithmic) == logarithmic
    choice = CategoricalDistribution(("a", "b"))
    stepped = IntDistribution(16, 128, step=16)
    assert joined(stepped, IntDistribution(16, 32, step=16)) == stepped
    assert joined(stepped, IntDistribution(8, 40, step=16)) == IntDistribution(8, 40, step=16)
    quarters = FloatDistribution(0.25, 0.75, step=0.25)
    halves = FloatDistribution(0, 0.5, step=0.25)
    assert joined(halves, quarters) == FloatDistribution(0, 0.75, step=0.25)
    assert joined(wide, choice) == choice and joined(None, wide) == wide
    found = list[int]()
    for seed in range(12):
        study, rng = study_of(seed), np.random.default_rng(seed)

        def objective(trial: optuna.Trial, rng: np.random.Generator = rng) -> float:
            trial.suggest_float("x", 0, 1)
            return float(trial.suggest_int("k", 0, int(rng.integers(1, 40))))

        study.optimize(objective, n_trials=15)
        found += [trial.params["k"] for trial in study.trials[5:]]
    assert np.mean(found) < 3, "drawn at random it would be ten"


def test_what_a_trial_cannot_take_is_not_suggested_for_ever():
    """The range of one parameter hangs on another's value; out of it Optuna draws another."""
    study, refused = study_of(), list[int]()

    def objective(trial: optuna.Trial) -> float:
        layers = trial.suggest_categorical("layers", [1, 2, 3])
        wanted = trial.relative_params.get("width")
        width = trial.suggest_int("width", 16, 64 * layers)
        if wanted not in (None, width):
            refused.append(trial.number)
        return abs(layers - 3) + (width - 176) ** 2 / 1e3

    study.optimize(objective, n_trials=60)
    assert len(refused) < 20 and study.best_value < 0.5, refused
    late = [trial.value for trial in study.trials[30:] if trial.value is not None]
    assert np.median(late) < 5, "drawn at random it is 14"


@pytest.mark.parametrize("known", [True, False])
def test_enqueued_values_are_what_a_trial_has(known):
    trial = create_trial(
        value=1.0,
        params={"x": 0.9, "y": 0.4},
        distributions=dict.fromkeys("xy", FloatDistribution(0, 1)),
        system_attrs={"fixed_params": {"x": 0.9}}
        | ({SUGGESTED: {"x": 0.1, "y": 0.2, "z": 0.3}} if known else {}),
    )
    assert asked(trial) == {"x": 0.9, "y": 0.2, "z": 0.3} if known else trial.params


def test_penalties_as_large_as_numbers_can_be_hide_nothing():
    good = np.linspace(0.0, 1.0, 40)
    costs = np.concatenate((good, np.full(60, np.finfo(float).max)))[:, None]
    nobody = np.zeros(100, dtype=np.bool_)
    z = scores(Progress(costs, nobody[:, None], nobody))
    assert np.all(np.diff(z[:40]) < 0) and z[39] > z[40]


def test_rungs_in_any_order():
    trial = create_trial(
        state=TrialState.PRUNED,
        value=1.0,
        params={"x": 0.5},
        distributions={"x": FloatDistribution(0, 1)},
        intermediate_values={1: 3.0, 2: 2.0, 3: 1.0},
    )
    study = optuna.create_study(sampler=EpochAwareSampler(0, rungs=(9, 3, 1)))
    study.add_trial(trial)
    study.ask({"x": FloatDistribution(0, 1)})
    beyond = read([trial], (1,), 1.0).progress.costs_NK[0]
    assert beyond[0] == 3.0
    early = create_trial(
        state=TrialState.PRUNED,
        value=2.0,
        params={"x": 0.5},
        distributions={"x": FloatDistribution(0, 1)},
        intermediate_values={7: 2.0},
    )
    assert read([early], (1, 3), 1.0).progress.costs_NK[0, 1] == 2.0, "known where it was stopped"


@pytest.mark.parametrize("steps", [range(10), range(1, 11), range(10, 101, 10), [10]])
def test_how_long_a_step_takes_however_rarely_it_is_reported(steps):
    begun = datetime(2026, 1, 1)
    seconds = len(steps) if max(steps) < 11 and len(steps) > 1 else max(steps)
    trial = create_trial(value=1.0, intermediate_values=dict.fromkeys(steps, 1.0))
    trial.datetime_start, trial.datetime_complete = begun, begun + timedelta(seconds=seconds)
    assert step_seconds(trial) == pytest.approx(1.0)


@pytest.mark.lengthy
def test_a_pruner_with_brackets():
    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        for epoch in range(1, 10):
            trial.report((x - 0.3) ** 2 + 1 / epoch, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return (x - 0.3) ** 2 + 1 / 9

    apart = list[float]()
    for seed in range(3):
        study = study_of(seed, optuna.pruners.HyperbandPruner(1, 9, 3))
        study.optimize(objective, n_trials=60)
        apart += [abs(trial.params["x"] - 0.3) for trial in study.trials[20:]]
    assert np.median(apart) < 0.15, "drawn at random it would be 0.27"


@pytest.mark.lengthy
def test_many_conditions_take_no_longer():
    """Eight models of four parameters: how long is for the benchmark, how often for this."""
    study = study_of(pruner=SuccessiveHalvingPruner())

    def objective(trial: optuna.Trial) -> float:
        model = trial.suggest_int("model", 0, 7)
        return sum(trial.suggest_float(f"{model}-{axis}", 0, 1) for axis in range(4))

    study.optimize(objective, n_trials=60)
    assert study.best_value < 1.0


def test_a_parameter_that_a_running_trial_asks_for_later_joins_the_space():
    study, spaces = study_of(), Spaces()
    study.optimize(lambda t: t.suggest_float("x", 0, 1), n_trials=3)
    trial = study.ask()
    assert spaces.join(study.trials) == {"x": FloatDistribution(0, 1)}
    trial.suggest_int("late", 0, 3)
    both = {"x": FloatDistribution(0, 1), "late": IntDistribution(0, 3)}
    assert spaces.join(study.trials) == both == spaces.join(study.trials)
    assert spaces.join(study_of().trials) == {}, "of another study"


def test_the_latest_trial_says_what_a_parameter_is_whenever_it_was_asked():
    """Ranges that cannot be joined; a trial that began first asks for its own last."""
    study, spaces = study_of(), Spaces()
    early, late = study.ask(), study.ask()
    late.suggest_float("x", 0, 1)
    whole = {"x": FloatDistribution(0, 1)}
    assert spaces.join(study.get_trials(deepcopy=False)) == whole
    early.suggest_float("x", 0, 1, step=0.25)
    trials = study.get_trials(deepcopy=False)
    assert spaces.join(trials) == Spaces().join(trials) == whole
