"""Keeps the checkpoints a study can still need and removes the others.

A trial that may go on keeps its last two, so that a damaged one has a predecessor; every trial
keeps its best epoch's. Only files the journal no longer needs are removed, after the line that
makes them superfluous is on the disk.
"""

from search.events import EpochDone, Event, TrialEnded
from search.state import StudyState, Trial
from search.store import StudyDir

#: Newest checkpoints kept of a trial that may go on.
NEWEST_KEPT = 2


def needed(trial: Trial, mode: str) -> set[str]:
    """Paths, relative to the study's folder, of a trial's checkpoints that must stay."""
    best = trial.best_epoch(mode)
    kept = {best.checkpoint.path} if best else set()
    if not trial.ended:
        kept |= {e.checkpoint.path for e in trial.epochs[-NEWEST_KEPT:]}
    return kept


class CheckpointKeeper:
    """Follows a study and tidies up after each epoch."""

    def __init__(self, folder: StudyDir) -> None:
        self._folder = folder

    def __call__(self, event: Event, state: StudyState) -> None:
        """Removes what an epoch or an end has made superfluous."""
        if isinstance(event, (EpochDone, TrialEnded)):
            trial = state.trials[event.trial]
            kept = needed(trial, state.spec.mode)
            recent = trial.epochs if trial.ended else trial.epochs[:-NEWEST_KEPT]
            for epoch in recent:
                if epoch.checkpoint.path not in kept:
                    (self._folder.root / epoch.checkpoint.path).unlink(missing_ok=True)
