"""What every sampler must hold to; inherit it and say which sampler."""

from collections.abc import Callable
from typing import Any

import pytest

from search.journal.state import replay
from search.policy.failures import Failure
from search.policy.samplers.base import Sampler
from search.spec.resolve import resolve
from search.spec.space import contains
from tests.study_harness import LOST, StudyHarness, changed

MANY = pytest.param(30, marks=pytest.mark.lengthy)


class SamplerContract:
    """Needs a fixture ``make``: a new sampler at each call."""

    @pytest.fixture
    def space(self) -> dict[str, Any]:
        """Every kind of dimension there is."""
        return {
            "hidden_size": [4, 8],
            "pooling": ["last", "mean"],
            "bidirectional": [False, True],
            "num_layers": {"low": 1, "high": 3},
            "head_hidden": {"low": 8, "high": 32, "step": 8},
            "batch_size": {"low": 8, "high": 64, "log": True},
            "dropout": {"low": 0.0, "high": 0.5},
            "token_drop": {"low": 0.0, "high": 0.3, "step": 0.1},
            "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
        }

    @pytest.fixture(params=["pause", "stop"])
    def harness(self, request, tmp_path, tables, space) -> StudyHarness:
        tables["stopping"]["losers"] = request.param
        tables["fixed"] = {"embedding_dim": 8}
        tables["space"] = space
        tables["search"]["trials"] = 60
        return StudyHarness(tmp_path, tables)

    def play(self, harness: StudyHarness, trials: int) -> None:
        """Trials of every fate: completed, pruned, not finite, failed, lost, and two running."""
        harness.crash_and_reopen(total=60)
        for number in range(trials):
            work = harness.begin()
            if number % 7 == 3:
                harness.study.fail(work.number, work.attempt, Failure("exception", "bad", "bad"))
                continue
            if number % 7 == 5:
                harness.report(work, 1, None)
                continue
            value = 1 - abs(work.hyperparameters["dropout"] - 0.3)
            epoch = 1
            while harness.report(work, epoch, value):
                epoch += 1
        works = [harness.begin() for _ in range(3)]
        harness.report(works[0], 1, 0.6)
        harness.study.fail(works[1].number, works[1].attempt, LOST)

    @pytest.mark.parametrize("trials", [0, 1, 5, MANY])
    def test_suggestions_lie_in_the_space(self, make: Callable[[], Sampler], harness, trials):
        self.play(harness, trials)
        state = harness.study.state
        suggestion = make().suggest(state, len(state.trials))
        assert suggestion.params.keys() == state.space.keys()
        for name, dimension in state.space.items():
            assert contains(dimension, suggestion.params[name]), name
            kinds = {"hidden_size": int, "num_layers": int, "dropout": float, "pooling": str}
            assert type(suggestion.params[name]) is kinds.get(name, type(suggestion.params[name]))

    @pytest.mark.parametrize("trials", [0, 12, MANY])
    def test_the_same_state_gives_the_same_suggestion(self, make, harness, trials):
        """In one sampler twice, in another, and after a replay."""
        self.play(harness, trials)
        state = harness.study.state
        sampler, number = make(), len(state.trials)
        first = sampler.suggest(state, number)
        assert sampler.suggest(state, number) == first
        assert make().suggest(state, number) == first
        assert make().suggest(replay(harness.events()), number) == first

    def test_asking_changes_no_state(self, make, harness):
        self.play(harness, 12)
        state = harness.study.state
        before = repr((state.trials, state.rungs, state.best()))
        make().suggest(state, len(state.trials))
        assert repr((state.trials, state.rungs, state.best())) == before

    @pytest.mark.lengthy
    def test_one_sampler_serves_a_whole_study(self, make, harness):
        """Asked behind every prefix, it says what a new one says."""
        self.play(harness, 24)
        events, sampler = harness.events(), make()
        for end in range(1, len(events), 9):
            state = replay(events[:end])
            number = len(state.trials)
            assert sampler.suggest(state, number) == make().suggest(state, number)

    def test_numbers_and_seeds_draw_anew(self, make, harness, tables):
        state = harness.study.state
        one = make().suggest(state, 0)
        spec = resolve(tables | {"search": tables["search"] | {"seed": 7}}, "x")
        harness.crash_and_reopen(total=60, change=changed(spec))
        assert make().suggest(harness.study.state, 0).params != one.params

    def test_another_space_and_objective_are_followed(self, make, harness, tables):
        self.play(harness, 12)
        sampler = make()
        sampler.suggest(harness.study.state, len(harness.study.state.trials))
        tables["space"] = {"hidden_size": [16, 32], "dropout": {"low": 0.1, "high": 0.2}}
        spec = resolve(tables | {"metric": "val/loss", "mode": "min"}, "x")
        harness.crash_and_reopen(total=60, change=changed(spec))
        state = harness.study.state
        suggestion = sampler.suggest(state, len(state.trials))
        assert all(contains(d, suggestion.params[name]) for name, d in state.space.items())
        assert make().suggest(state, len(state.trials)) == suggestion
