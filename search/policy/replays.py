"""What another stopping rule would have done with a study's trials: from its journal alone.

The trials are met one after the other, in the order in which they were made, as one worker would
have. How a trial goes on beyond what the study trained of it is not known, unless it was audited.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from search.journal.epochs import Epoch
from search.journal.events import AttemptStarted, TrialCreated, TrialEnded
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.decisions import judge
from search.policy.pausing import all_given_up, next_to_go_on, surplus
from search.spec.study import StoppingSpec
from trainables.attempts.messages import Report


@dataclass
class Replay:
    """What became of the trials.

    Attributes:
        stopping: the rule.
        epochs: how many each trial was trained, by number.
        seconds: the time of them all.
        unknown: trials that the rule would have trained further than the study did.
        completed: trials that came to their ends.
    """

    stopping: StoppingSpec
    epochs: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0
    unknown: list[int] = field(default_factory=list)
    completed: list[int] = field(default_factory=list)

    def best(self, state: StudyState) -> tuple[int, float] | None:
        """Return the trial with the best value among the epochs that were trained."""
        cost = state.objective.cost
        found = [
            (cost(value), number, value)
            for number, count in self.epochs.items()
            for value in map(state.trials[number].epochs.value, range(count))
            if value is not None
        ]
        return min(found)[1:] if found else None


def replay_stopping(state: StudyState, stopping: StoppingSpec) -> Replay:
    """Return what ``stopping`` would have done with the trials over the present data."""
    trials = [trial for trial in state.comparable_trials() if trial.epochs]
    found, anew = Replay(stopping), _fresh(state, stopping)
    # Of a study that is to make more trials, nobody is the last.
    anew.total = len(trials) if len(state.trials) >= state.total else state.total
    while (number := _next(anew, trials)) is not None:
        copy, trial = anew.trials[number], trials[number]
        attempt = AttemptStarted(trial=number, attempt=copy.attempts + 1, from_epoch=copy.epoch)
        anew.apply(attempt)
        while copy.state == "running":
            _train(anew, copy, trial, found)
    for end in all_given_up(anew) if state.finished else ():
        anew.apply(end)
    for copy, trial in zip(anew.trials, trials, strict=True):
        found.epochs[trial.number] = copy.epoch
        found.seconds += sum(epoch.seconds for epoch in trial.epochs[: copy.epoch])
        if copy.state == "completed":
            found.completed.append(trial.number)
    return found


def _fresh(state: StudyState, stopping: StoppingSpec) -> StudyState:
    """Return a study of the same objective that has made no trials."""
    spec = state.spec.model_copy(update={"stopping": stopping})
    changed = {"spec": spec.tables(), "data": state.data}
    changed["hyperparameters"] = state.hyperparameters
    return StudyState(state.created.model_copy(update=changed))


def _next(anew: StudyState, trials: Sequence[Trial]) -> int | None:
    """Return the trial that one worker would take up now: a paused one that may go on, or a new."""
    paused = next_to_go_on(anew)
    if paused is not None:
        return paused.number
    number = len(anew.trials)
    if number == len(trials):
        return None
    anew.apply(TrialCreated(trial=number, params=trials[number].params, origin="replay"))
    return number


def _train(anew: StudyState, copy: Trial, trial: Trial, found: Replay) -> None:
    """Take the next epoch of a trial in, if the study has it."""
    if copy.epoch < trial.epoch:
        for event in judge(anew, _report(copy, trial.epochs[copy.epoch])):
            anew.apply(event)
        for end in surplus(anew):
            anew.apply(end)
    elif trial.state == "failed":
        anew.apply(TrialEnded(trial=copy.number, state="failed", reason=trial.reason))
    else:
        found.unknown.append(trial.number)
        anew.apply(TrialEnded(trial=copy.number, state="pruned", reason="not known further"))


def _report(copy: Trial, epoch: Epoch) -> Report:
    return Report(
        number=copy.number,
        attempt=copy.attempts,
        epoch=epoch.epoch,
        metrics=epoch.metrics,
        seconds=epoch.seconds,
        checkpoint=epoch.checkpoint,
        host=epoch.host,
        numerics=epoch.numerics,
    )
