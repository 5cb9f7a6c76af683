"""Joins a study to Ray Tune: thin adapters that ask and tell the study, and the run itself.

A Ray trial is one attempt at one of our trials, keyed by our trial's number. Ray's retries,
snapshots, loggers and stoppers are off, and its experiment folder is scratch. Ray swallows ordinary
exceptions in several hooks, so an error that must end the run is raised as ``Halt``.

This file imports ray. Import it only after ``cluster.connect`` has set Ray's environment.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from cluster.own_folder import own_folder
from search.driver.capacity import TrialResources
from search.driver.hangs import HangWatch
from search.driver.recorder import StudyRecorder
from search.driver.signals import Halt
from search.errors import StudyFailed
from search.policy.failures import read_failure
from trainables.attempts.messages import REPORTS, Assignment
from trainables.trial import ASSIGNMENT, EPOCHS, REPORT_SECONDS, RecurrentTrial


class StudySearcher(Searcher):
    """Hands Ray the study's next attempt."""

    def __init__(self, study: StudyRecorder | None, report_seconds: float = 0.0) -> None:
        super().__init__()
        self._study, self._report_seconds = study, report_seconds

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as an empty searcher: Ray stores it beside its experiment, which nobody reads."""
        return (StudySearcher, (None,))

    def suggest(self, trial_id: str) -> Any:
        """Return an assignment; None while others run; FINISHED when all trials have ended."""
        assert self._study is not None
        with halting():
            work = self._study.next()
        if work == "finished":
            return Searcher.FINISHED
        if work == "wait":
            return None
        return {ASSIGNMENT: work.model_dump_json(), REPORT_SECONDS: self._report_seconds}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing: the scheduler has told the study already."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the journal is the study's memory."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: see ``save``."""


class StudyScheduler(TrialScheduler):
    """Passes reports and failures to the study and its decisions back."""

    def __init__(self, study: StudyRecorder | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._study = study
        self._pending: list[Any] = []
        self._attempts: dict[tuple[int, int], Any] = {}
        self._killed: set[tuple[int, int]] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        return (StudyScheduler, (None,))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return the study's decision on the epochs of one message."""
        assert self._study is not None
        with halting():
            goes_on = self._study.report(REPORTS.validate_json(result[EPOCHS]))
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Tell the study that an attempt ended without a report."""
        assert self._study is not None
        number, attempt = attempt_key(trial)
        _forget_figures(trial)
        failure = read_failure(_error_text(trial), hung=(number, attempt) in self._killed)
        self._attempts.pop((number, attempt), None)
        with halting():
            if isinstance(failure, str):
                raise StudyFailed(failure)
            self._study.fail(number, attempt, failure)

    def kill_hung(self, watch: HangWatch) -> None:
        """End the processes of attempts past their deadline; Ray then calls ``on_trial_error``."""
        assert self._study is not None
        if watch.overdue():
            self._study.tell()  # one may have reported a moment ago
        for key in watch.overdue():
            trial = self._attempts.get(key)
            actor = trial.temporary_state.ray_actor if trial is not None else None
            watch.restart(key)
            if actor is not None and key not in self._killed:
                self._killed.add(key)
                ray.kill(actor)

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Queue one of Ray's trials: they start in the order they come."""
        self._pending.append(trial)
        self._attempts[attempt_key(trial)] = trial

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Forget an attempt that is over."""
        self._attempts.pop(attempt_key(trial), None)
        _forget_figures(trial)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Forget an attempt that never ran; its trial waits in the study."""
        self._attempts.pop(attempt_key(trial), None)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Return the first that waits for an actor."""
        self._pending = [t for t in self._pending if t.status in ("PENDING", "PAUSED")]
        return self._pending[0] if self._pending else None

    def debug_string(self) -> str:
        """Return a name that is shown nowhere, for Ray's own output is off."""
        return "seqtune"


class StudyCallback(tune.Callback):
    """Calls a function at every step of Ray's loop, ten times a second or more."""

    def __init__(self, on_step: Callable[[], None] | None) -> None:
        self._on_step = on_step

    def __reduce__(self) -> tuple[Any, ...]:
        return (StudyCallback, (None,))

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Call the function; a ``Halt`` from there ends the run."""
        assert self._on_step is not None
        self._on_step()


def _forget_figures(trial: Any) -> None:
    """Clear what an attempt reported: Ray keeps its trials to the end of the run, with all of it,
    which would grow without end."""
    for figures in (trial.metric_analysis, trial.metric_n_steps, trial.last_result):
        figures.clear()


@contextmanager
def halting() -> Iterator[None]:
    """Turn a study's failure, or a full disk, into a ``Halt``, which Ray cannot swallow."""
    try:
        yield
    except (StudyFailed, OSError) as error:
        raise Halt(str(error), StudyFailed.exit_code) from error


def run(
    study: StudyRecorder, resources: TrialResources, watch: HangWatch, on_step: Callable[[], None]
) -> None:
    """Run until all wanted trials have ended; call ``on_step`` at every step.

    Raises:
        Halt: the search was told to leave, or cannot write its journal.
    """
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    scheduler = StudyScheduler(study)

    def every_step() -> None:
        with halting():
            on_step()
            scheduler.kill_hung(watch)

    with own_folder("seqtune-ray-") as scratch:
        tune.Tuner(
            _trainable(resources),
            tune_config=tune.TuneConfig(
                search_alg=StudySearcher(study, resources.report_seconds),
                scheduler=scheduler,
                num_samples=-1,
                max_concurrent_trials=resources.concurrent,
                reuse_actors=True,
                trial_name_creator=_short_name,
                trial_dirname_creator=_short_name,
            ),
            run_config=tune.RunConfig(
                name="study",
                storage_path=str(scratch),
                callbacks=[StudyCallback(every_step)],
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        ).fit()


def _trainable(resources: TrialResources) -> Any:
    """Return the trial's class with what each trial is given; the data is sent once a node.

    Nothing is put into Ray's object store for a cluster that shares this machine's files. Whoever
    owns objects there is ended by Ray with exit code 1, without a word, when a signal to the whole
    process group ends the raylet first.
    """
    trainable: Any = RecurrentTrial
    if resources.parcel:
        trainable = tune.with_parameters(RecurrentTrial, parcel=[ray.put(resources.parcel)])
    return tune.with_resources(trainable, {"cpu": resources.cpus, "gpu": resources.gpus})


def _short_name(trial: Any) -> str:
    return str(trial.trial_id)


def _error_text(trial: Any) -> str:
    """Return Ray's text of the last error, without its heading."""
    path = trial.error_file
    if path is None:
        return "the attempt ended without a word"
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().partition("\n")[2].strip()


def attempt_key(trial: Any) -> tuple[int, int]:
    """Return the trial and attempt numbers behind one of Ray's trials."""
    work = Assignment.model_validate_json(trial.config[ASSIGNMENT])
    return work.number, work.attempt
