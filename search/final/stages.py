"""What a study's end trains, each a study of its own under ``final``: begun, or gone on with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from search.driver.plan import Options, plan_session
from search.driver.preparation import PreparedData, at_present_place, prepare_study
from search.driver.session import Prepare, resume, start
from search.driver.signals import Halt, Interrupter
from search.errors import NoFiniteResult, SpecError
from search.final.candidates import Candidate, contest, retraining, terms_of
from search.final.judging import Finalist
from search.final.path import path_rows, steps_to
from search.journal.folder import StudyDir
from search.journal.load import load
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.monitor.say import say
from search.report.tables import figure
from search.spec.sections import parse_section
from search.spec.study import ResourcesSpec, StudySpec
from trainables.storage import Cache
from trainables.tasks.text_inputs import PreparedTexts


@dataclass(frozen=True)
class Ranking:
    """Configurations that were trained with several seeds.

    Attributes:
        candidates: those that stand for the study, then its baseline.
        trials: of each, a trial a seed.
        folder, state: the study that has them.
    """

    candidates: list[Candidate]
    trials: list[list[Trial]]
    folder: StudyDir
    state: StudyState

    @property
    def winner(self) -> int:
        """The place of the best by its mean over seeds.

        Raises:
            NoFiniteResult: a seed of every candidate failed, or one of the baseline; says how to
                train them again.
        """
        means = [self._mean_cost(place) for place in range(len(self.candidates))]
        best, baseline = int(np.argmin(means[:-1])), len(means) - 1
        for place, whose in ((best, f"candidate {best + 1}"), (baseline, "the baseline")):
            if not np.isfinite(means[place]):
                raise self._failure(place, whose)
        return best

    def values(self, place: int) -> list[float]:
        """Return the best values of a configuration's seeds, those that came to their ends."""
        return _values(self.trials[place])

    def _failure(self, place: int, whose: str) -> NoFiniteResult:
        trials = self.trials[place]
        seed, trial = next(one for one in enumerate(trials, start=1) if not _values([one[1]]))
        return _not_trained(self.folder, trial, f"seed {seed} of {whose}")

    def _mean_cost(self, place: int) -> float:
        """Return the mean cost of a configuration's seeds; infinite where one failed."""
        values = self.values(place)
        if len(values) < len(self.trials[place]):
            return float("inf")
        return float(np.mean([self.state.objective.cost(value) for value in values]))


class Stages:
    """The studies under ``final``."""

    def __init__(
        self, folder: StudyDir, study: StudyState, options: Options, interrupter: Interrupter
    ) -> None:
        """Raise SpecError or ClusterError where an option is wrong."""
        self._folder, self._study = folder.final, study
        self._spec = _with_given(study.spec, options)
        self._options, self._interrupter = replace(options, name=None, trials=None), interrupter
        plan_session(self._spec, self._options)  # it would be refused once training begins

    def check_data(self, cache: Cache) -> None:
        """Make sure that the study's data is what it was; raise SpecError where it is not."""
        self._same(self._spec, cache, ())

    def ranking(self, everyone: Sequence[Candidate], seeds: int) -> Ranking:
        """Train every configuration, the baseline last, with every seed."""
        count = len(everyone) - 1
        said = "1 candidate" if count == 1 else f"{count} candidates"
        say(f"{said} and the baseline, {seeds} seeds each")
        state, trials = self._contest("contest", [one.params for one in everyone], seeds)
        return Ranking(list(everyone), trials, StudyDir(self._folder / "contest"), state)

    def finalists(self, ranking: Ranking) -> list[Finalist]:
        """Train the winner and the baseline once more, as they are to be judged."""
        best, baseline = ranking.winner, ranking.candidates[-1]
        winner = self._finalist("winner", best, ranking)
        if winner.candidate.params == baseline.params:
            return [winner, winner]
        return [winner, self._finalist("baseline", len(ranking.candidates) - 1, ranking)]

    def path(self, ranking: Ranking, shares: Mapping[str, float] | None) -> list[dict[str, Any]]:
        """Train the steps from the baseline to the winner; return what each gained. ``shares`` say
        how important each hyperparameter is, where that is known."""
        winner, baseline = ranking.candidates[ranking.winner], ranking.candidates[-1]
        steps = steps_to(self._spec, shares, baseline, winner)
        seeds = len(ranking.trials[0])
        between = [step.params for step in steps[:-1]]
        order = "the most important first" if shares else "in the order of the study file"
        say(f"{len(steps)} steps from the baseline to the winner, {order}; {seeds} seeds each")
        trained = self._contest("path", between, seeds)[1] if between else []
        values = [
            ranking.values(-1),
            *(_values(trials) for trials in trained),
            *([ranking.values(ranking.winner)] if steps else []),
        ]
        return path_rows(ranking.state.objective, steps, values)

    def _finalist(self, role: str, place: int, ranking: Ranking) -> Finalist:
        values, trials = ranking.values(place), ranking.trials[place]
        epochs = _epochs_needed(trials)
        mean = figure(float(np.mean(values)))
        say(
            f"{role}: {ranking.state.objective.metric} {mean} over validation texts, mean of "
            f"{len(values)} seeds; now {epochs} epochs over these too, so that what they score "
            "from here on says nothing"
        )
        candidate = ranking.candidates[place]
        spec = retraining(self._spec, role, candidate, epochs, len(trials))
        state = self._run(spec, self._joined)
        folder = StudyDir(self._folder / role)
        check_whole(folder, state.trials, epochs)
        return Finalist(role, candidate, values, epochs, folder, state)

    def _contest(
        self, name: str, contestants: Sequence[Mapping[str, Any]], seeds: int
    ) -> tuple[StudyState, list[list[Trial]]]:
        """Train configurations with every seed; return the study, and the trials of each."""
        state = self._run(contest(self._spec, name, contestants, seeds), self._same)
        count = len(contestants)
        return state, [
            [state.trials[seed * count + place] for seed in range(seeds)] for place in range(count)
        ]

    def _run(self, spec: StudySpec, prepare: Prepare) -> StudyState:
        folder, plan = StudyDir(self._folder / spec.name), plan_session(spec, self._options)
        if folder.exists():
            past = load(folder)
            _check_same(folder, past.state.spec, spec)
            outcome = resume(folder, plan, self._interrupter, past, prepare)
        else:
            outcome = start(spec, self._folder, plan, self._interrupter, prepare)
        if outcome.reason != "finished":
            raise Halt(outcome.reason, outcome.exit_code)
        return outcome.state

    def _same(self, spec: StudySpec, cache: Cache, trials: Sequence[Trial]) -> PreparedData:
        """Prepare the data of the study, where it lies now, and no other.

        Raises:
            SpecError: what is in its place now is other data.
        """
        prepared = prepare_study(at_present_place(spec, self._spec), cache, trials)
        if prepared.current.key != self._study.data:
            raise SpecError(
                f"the data of study {self._study.created.name!r} has changed since it was "
                "searched: put the old data back, for its test part is what counts"
            )
        return prepared

    def _joined(self, spec: StudySpec, cache: Cache, trials: Sequence[Trial]) -> PreparedData:
        """Prepare training and validation texts as one part to train on."""
        prepared = self._same(spec, cache, trials).current
        assert isinstance(prepared, PreparedTexts)
        return PreparedData(prepared.with_validation(cache))


def check_whole(folder: StudyDir, trials: Sequence[Trial], epochs: int) -> None:
    """Make sure that every seed was trained to its end.

    Raises:
        NoFiniteResult: one was not; says how to train them again.
    """
    for trial in trials:
        if (trial.state, trial.epoch) != ("completed", epochs) or trial.epochs[-1].value is None:
            raise _not_trained(folder, trial, f"seed {trial.number + 1} of the {folder.name}")


def _not_trained(folder: StudyDir, trial: Trial, seed: str) -> NoFiniteResult:
    cause = f" ({trial.reason})" if trial.reason else ""
    return NoFiniteResult(
        f"{seed} was not trained to a finite result{cause}, and the test part stays closed; see "
        f"{folder.logs}. To train the seeds again, remove {folder.root} and call this anew"
    )


def _values(trials: Sequence[Trial]) -> list[float]:
    """Return the best values of the seeds that were trained to their ends: what one that failed had
    come to by then is not its best."""
    whole = (trial for trial in trials if trial.state == "completed")
    return [trial.best_value for trial in whole if trial.best_value is not None]


def _with_given(spec: StudySpec, options: Options) -> StudySpec:
    """Return a study with the resources that were named on the command line.

    Raises:
        SpecError: one is out of its range.
    """
    named = ("max_concurrent", "cpus_per_trial", "gpus_per_trial", "max_failures")
    given = {name: getattr(options, name) for name in named if getattr(options, name) is not None}
    resources = {**spec.resources.model_dump(), **given}
    parsed = parse_section(ResourcesSpec, resources, "resources")
    return spec.model_copy(update={"resources": parsed})


def _check_same(folder: StudyDir, begun: StudySpec, asked: StudySpec) -> None:
    """Make sure that what was begun in a folder is what is asked for.

    Raises:
        SpecError: it trains other configurations, or otherwise.
    """
    old, new = (_trained(spec) for spec in (begun, asked))
    other = [name for name in new if old[name] != new[name]]
    if other:
        raise SpecError(
            f"{folder.root} was begun with another {' and '.join(other)}: the study was changed "
            "since. Put that back, or remove the folder and call this anew to train what is asked "
            "for now"
        )


def _trained(spec: StudySpec) -> dict[str, Any]:
    """Return all that decides what comes of a study under ``final``."""
    tables = spec.tables()
    return terms_of(spec) | {name: tables[name] for name in ("fixed", "space", "first")}


def _epochs_needed(trials: Sequence[Trial]) -> int:
    """Return for how many epochs a configuration is to be trained: the mean of its best ones."""
    best = [trial.best_epoch.epoch for trial in trials if trial.best_epoch is not None]
    return max(1, round(float(np.mean(best))))
