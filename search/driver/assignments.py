"""Assignments of attempts: a pure reading of the study's state."""

from search.driver.preparation import PreparedData
from search.journal.epochs import Epoch
from search.journal.folder import StudyDir
from search.journal.layout import checkpoint_prefix
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.seeds import derive_seed
from search.spec.study import ResourcesSpec
from trainables.attempts.messages import Assignment
from trainables.tasks.registry import code_of


def assign(
    trial: Trial,
    state: StudyState,
    resources: ResourcesSpec,
    prepared: PreparedData,
    folder: StudyDir,
) -> Assignment:
    """Return the assignment of a trial's present attempt."""
    spec, inputs = trial.spec, prepared.of(trial.spec)
    configuration = inputs.complete({**spec.fixed, **trial.params})
    begun = trial.epochs[-1] if trial.epochs else None
    return Assignment(
        number=trial.number,
        attempt=trial.attempts,
        task=spec.task,
        hyperparameters=configuration,
        seed=derive_seed(spec.search.seed, "trial", trial.number),
        max_epochs=spec.stopping.max_epochs,
        data=str(inputs.folder),
        inputs=inputs.of_trial(configuration),
        folder=str(folder.root),
        checkpoint_prefix=checkpoint_prefix(trial.number, trial.attempts),
        unreported=folder.unreported(trial.number, trial.attempts),
        log=folder.trial_log(trial.number),
        code=str(own.parent) if (own := code_of(spec.task)) else "",
        rungs=state.rungs.epochs,
        restore=tuple(
            e.checkpoint
            for e in reversed(trial.epochs)
            if (folder.root / e.checkpoint.path).exists()
        ),
        last_journaled_epoch=trial.epoch,
        threads=begun.numerics.threads if begun else resources.cpus_per_trial,
        precision=_precision(state, resources, begun),
        precision_required=begun is None and resources.precision != "auto",
        keep_freed_memory=resources.keep_freed_memory,
        gpus=resources.gpus_per_trial,
    )


def _precision(state: StudyState, resources: ResourcesSpec, begun: Epoch | None) -> str:
    """Return the precision that the trial began with.

    A new one takes what is asked for. Where that is to be measured, it takes what the study's first
    trial on this kind of device has measured.
    """
    wanted, on_gpu = resources.precision, resources.gpus_per_trial > 0
    if begun is not None:
        return begun.numerics.precision
    if wanted != "auto":
        return wanted
    where = (trial.epochs.where for trial in state.trials)
    alike = (found[1] for found in where if found and (found[1].device != "cpu") == on_gpu)
    return next((numerics.precision for numerics in alike), wanted)
