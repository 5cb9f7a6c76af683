"""The sampler in anybody's Optuna study."""

from collections import Counter

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.pruners import SuccessiveHalvingPruner
from optuna.samplers import RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.policy.samplers.epoch_aware import model
from search.policy.samplers.epoch_aware.distributions import axes_of
from search.policy.samplers.epoch_aware.history import read, rungs_of
from search.policy.samplers.epoch_aware.sampler import FITTED, EpochAwareSampler
from search.policy.surrogate.candidates import LISTED, candidates
from search.policy.surrogate.process import Posterior

optuna.logging.set_verbosity(optuna.logging.ERROR)


def study_of(sampler, direction="minimize", pruner=None) -> optuna.Study:
    return optuna.create_study(sampler=sampler, direction=direction, pruner=pruner)


def halving() -> SuccessiveHalvingPruner:
    return SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)


def distance(trial: optuna.Trial) -> float:
    """Of one log, one float, one integer, one choice, and a momentum where there is no Adam."""
    rate = trial.suggest_float("rate", 1e-5, 1.0, log=True)
    width = trial.suggest_float("width", -5.0, 5.0)
    layers = trial.suggest_int("layers", 1, 6)
    optimizer = trial.suggest_categorical("optimizer", ["sgd", "adam", "lion"])
    momentum = trial.suggest_float("momentum", 0.0, 1.0) if optimizer == "sgd" else 0.9
    worse = 0.0 if optimizer == "adam" else 0.3
    away = (width - 1) ** 2 / 10 + (np.log10(rate) + 3) ** 2 + 0.1 * abs(layers - 3)
    return float(away + worse + abs(momentum - 0.5))


def learning(trial: optuna.Trial) -> float:
    found = distance(trial)
    for epoch in range(1, 10):
        trial.report(found + 2 / epoch, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return found + 2 / 9


def best_found(sampler, seeds=range(4), trials=60) -> float:
    """The mean over studies of the best that any trial had."""
    found = []
    for seed in seeds:
        study = study_of(sampler(seed))
        study.optimize(distance, n_trials=trials)
        found.append(study.best_value)
    return float(np.mean(found))


@pytest.mark.lengthy
def test_it_finds_what_random_search_does_not():
    """How well it does under a pruner is for the benchmark to say: there epochs take time."""
    random = best_found(lambda seed: RandomSampler(seed=seed), range(20))
    assert best_found(EpochAwareSampler) < 0.65 * random


def test_the_other_direction_is_the_same_search():
    down, up = study_of(EpochAwareSampler(1)), study_of(EpochAwareSampler(1), "maximize")
    down.optimize(distance, n_trials=15)
    up.optimize(lambda trial: -distance(trial), n_trials=15)
    assert [t.params for t in down.trials] == [t.params for t in up.trials]


def test_the_same_trials_give_the_same_suggestion():
    """In another sampler, which has seen none of what came before, and has fitted nothing."""
    study = study_of(EpochAwareSampler(3), pruner=halving())
    study.optimize(learning, n_trials=37)
    asked = []
    others = [EpochAwareSampler(seed) for seed in range(4, 8)]
    for sampler in (study.sampler, EpochAwareSampler(3), *others):
        again = study_of(sampler)
        again.add_trials(study.trials)
        asked.append(again.ask(study.trials[-1].distributions).params)
    assert asked[0] == asked[1]
    assert any(params != asked[0] for params in asked[2:]), "one may move the same axis alone"


def test_a_fit_is_kept_with_the_trial_it_was_made_for():
    study = study_of(EpochAwareSampler(3))
    study.optimize(distance, n_trials=30)
    fitted = [trial.number for trial in study.trials if FITTED in trial.system_attrs]
    assert fitted and fitted[0] >= 4
    assert np.diff(fitted).max() <= 4, "every tenth part more"


def test_without_a_seed_two_are_different():
    first, second = (
        study_of(EpochAwareSampler()).ask({"x": FloatDistribution(0, 1)}) for _ in "ab"
    )
    assert first.params != second.params


def test_a_small_space_is_tried_once_each_and_then_again():
    study = study_of(EpochAwareSampler(0))

    def objective(trial: optuna.Trial) -> float:
        size = trial.suggest_categorical("size", [16, 32, 64])
        both = trial.suggest_categorical("both", [False, True])
        return size * (2 if both else 1) + 0.1 * np.sin(trial.number)

    study.optimize(objective, n_trials=12)
    tried = [tuple(trial.params.values()) for trial in study.trials]
    assert len(set(tried[:6])) == 6
    assert set(tried[6:]) <= set(tried[:6])
    assert Counter(tried[6:]).most_common(1)[0][0] in {(16, False), (32, False), (16, True)}


@pytest.mark.parametrize("dimensions", [1, 30])
def test_spaces_of_one_and_of_thirty_dimensions(dimensions):
    study = study_of(EpochAwareSampler(0))
    study.optimize(
        lambda t: sum((t.suggest_float(f"x{i}", 0, 1) - 0.3) ** 2 for i in range(dimensions)),
        n_trials=25,
    )
    assert all(len(trial.params) == dimensions for trial in study.trials)
    assert study.best_trial.number >= 4


def test_a_parameter_is_suggested_where_it_is_asked_for():
    study = study_of(EpochAwareSampler(0))
    study.optimize(distance, n_trials=30)
    for trial in study.trials:
        assert ("momentum" in trial.params) == (trial.params["optimizer"] == "sgd")


@pytest.mark.lengthy
def test_where_luck_alone_tells_trials_apart_it_looks_everywhere():
    """A model of luck would look near who was lucky, and at the edges."""
    at_edge = list[bool]()
    for seed in range(8):
        luck = np.random.default_rng(seed + 1000)
        study = study_of(EpochAwareSampler(seed), pruner=halving())

        def objective(trial: optuna.Trial, luck: np.random.Generator = luck) -> float:
            trial.suggest_float("x", 0, 1)
            trial.suggest_float("y", 0, 1)
            return float(luck.normal(0.5, 0.01))

        study.optimize(objective, n_trials=40)
        late = np.array([list(trial.params.values()) for trial in study.trials[10:]])
        at_edge += list(np.any((late < 0.05) | (late > 0.95), axis=1))
    assert np.mean(at_edge) < 0.35, "drawn at random it would be a fifth"


@pytest.mark.lengthy
@pytest.mark.parametrize("middle", [0.2, None])
def test_the_middle_of_an_axis_is_found(middle):
    """Ends lie farthest from all else, and a model of little but them sees a slope: a dropout of
    0.2, or two layers of one to three, would never be tried."""
    worse = list[float]()
    for seed in range(4):
        study = study_of(EpochAwareSampler(seed))

        def objective(trial: optuna.Trial) -> float:
            rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
            if middle is None:
                off = 0.02 * (trial.suggest_int("layers", 1, 3) != 2)
            else:
                off = 0.2 * (trial.suggest_float("dropout", 0, 0.5) - middle) ** 2
            return float(0.05 * (np.log10(rate) + 2.3) ** 2 + off)

        study.optimize(objective, n_trials=40)
        worse.append(study.best_value)
    assert np.median(worse) < 0.002, "at an end it would be 0.008 or 0.02"


@pytest.mark.lengthy
def test_trials_that_fail_are_avoided():
    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("rate", 0, 1)
        if rate > 0.5:
            raise ValueError("diverged")
        return -rate

    failed = 0
    for seed in range(6):
        study = study_of(EpochAwareSampler(seed))
        study.optimize(objective, n_trials=40, catch=(ValueError,))
        failed += sum(trial.state == TrialState.FAIL for trial in study.trials[20:])
    assert failed <= 40, "drawn at random 60 ± 5, and the best lies beside them"


def test_more_than_one_objective_is_refused():
    study = optuna.create_study(
        sampler=EpochAwareSampler(0), directions=[StudyDirection.MINIMIZE] * 2
    )
    with pytest.raises(ValueError, match="multi-objective"):
        study.optimize(lambda t: (t.suggest_float("x", 0, 1), 1.0), n_trials=1)


def test_running_trials_are_not_suggested_again():
    study = study_of(EpochAwareSampler(0))
    study.optimize(lambda t: (t.suggest_float("x", 0, 1) - 0.4) ** 2, n_trials=8)
    asked = [study.ask({"x": FloatDistribution(0, 1)}).params["x"] for _ in range(6)]
    assert np.diff(sorted(asked)).min() > 1e-4


def test_of_two_thousand_trials_the_best_and_the_latest_are_seen(monkeypatch):
    """So that a suggestion takes no longer; how long is for the benchmark to say."""
    seen = []

    class Watched(Posterior):
        def __init__(self, theta, x_NF, z_N):
            seen.append(len(x_NF))
            super().__init__(theta, x_NF, z_N)

    monkeypatch.setattr(model, "Posterior", Watched)
    rng = np.random.default_rng(0)
    space: dict[str, BaseDistribution] = {f"x{i}": FloatDistribution(0, 1) for i in range(10)}
    study = study_of(EpochAwareSampler(0, rungs=(1, 3)))
    for number in range(2000):
        params = {name: float(rng.random()) for name in space}
        value = sum(params.values())
        state = TrialState.PRUNED if number % 3 else TrialState.COMPLETE
        study.add_trial(
            create_trial(
                state=state,
                params=params,
                distributions=space,
                value=value,
                intermediate_values={1: value} if number % 3 else {1: value, 3: value, 9: value},
            )
        )
    study.ask(space)
    assert 80 <= seen[-1] <= 160


def pruned(step: int, value: float = 1.0) -> FrozenTrial:
    return create_trial(
        state=TrialState.PRUNED,
        params={"x": 0.5},
        distributions={"x": FloatDistribution(0, 1)},
        value=value,
        intermediate_values={s: value for s in range(1, step + 1)},
    )


def test_rungs_are_read_off_where_trials_were_stopped():
    assert rungs_of({3, 1}) == (1, 3)
    assert rungs_of(range(1, 40)) == (1, 3, 7, 15, 31)
    assert rungs_of(()) == ()


def test_what_trials_reached_is_read():
    completed = create_trial(
        params={"x": 0.1},
        distributions={"x": FloatDistribution(0, 1)},
        value=0.2,
        intermediate_values={1: 0.9, 2: 0.5, 4: 0.2},
    )
    history = read([pruned(1, 0.7), completed, create_trial(value=3.0)], (1, 3), 1.0)
    assert len(history.known) == 2, "one has no parameters"
    assert np.array_equal(
        history.progress.costs_NK, [[0.7, np.nan, np.nan], [0.9, 0.5, 0.2]], equal_nan=True
    ), "at a step without a report, what was reported before it"
    assert history.progress.passed_NK.tolist() == [[False] * 3, [True] * 3]


def test_candidates_of_a_small_space_are_all_of_it():
    axes = axes_of({"a": optuna.distributions.IntDistribution(1, 9)})
    assert axes.size <= LISTED
    found = candidates(axes, np.zeros((0, 1)), np.random.default_rng(0))
    assert sorted(axes.configuration(x)["a"] for x in found) == list(range(1, 10))


def test_what_diverged_under_a_pruner_is_avoided():
    """Optuna's pruners stop a trial whose value is NaN, which says nothing good of it."""
    study = study_of(EpochAwareSampler(0), pruner=halving())

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_int("x", 0, 20)
        trial.suggest_categorical("y", ["a", "b", "c"])
        for epoch in range(1, 4):
            trial.report(float("nan") if x > 14 and epoch > 1 else -float(x), epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return -float(x)

    study.optimize(objective, n_trials=40)
    tried = Counter(tuple(trial.params.values()) for trial in study.trials)
    assert max(tried.values()) == 1, "63 configurations: none twice"
    assert sum(trial.params["x"] > 14 for trial in study.trials[20:]) < 10


def test_a_trial_that_was_stopped_before_the_first_rung_counts_there():
    history = read([pruned(2, 0.7)], (4, 8), 1.0)
    assert history.progress.costs_NK[0, 0] == 0.7
    assert not history.progress.passed_NK.any()


def test_it_begins_by_chance_whatever_is_asked_of_it():
    study = study_of(EpochAwareSampler(0, startup_trials=0))
    asked = [study.ask({"x": FloatDistribution(0, 1)}).params["x"] for _ in range(3)]
    assert len(set(asked)) == 3
    assert not any(FITTED in trial.system_attrs for trial in study.trials)


def test_the_first_trials_lie_far_from_each_other():
    """Of eight trials that nothing is known of yet, also where some lack a parameter."""

    def nearest(sampler) -> float:
        study = study_of(sampler)
        space: dict[str, BaseDistribution] = {f"x{axis}": FloatDistribution(0, 1) for axis in "abc"}
        for number in range(8):
            study.ask(space if number != 1 else {"xa": space["xa"]})
        points = np.array([[t.params.get(name, 0.5) for name in space] for t in study.trials])
        apart = np.linalg.norm(points[:, None] - points[None, :], axis=2)
        return float(apart[np.triu_indices(8, 1)].min())

    afar = [nearest(EpochAwareSampler(seed)) for seed in range(10)]
    by_chance = [nearest(RandomSampler(seed)) for seed in range(10)]
    assert np.mean(afar) > 1.5 * np.mean(by_chance)
