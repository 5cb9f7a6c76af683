"""What a trial's attempt is told: a pure reading of the study's state."""

from search.driver.preparation import PreparedData
from search.journal.events import EpochDone
from search.journal.folder import StudyDir
from search.journal.state import StudyState, Trial
from search.policy.samplers.optuna_adapter import derive_seed
from search.spec.study import ResourcesSpec
from trainables.attempts.messages import Assignment


def assign(
    trial: Trial,
    state: StudyState,
    resources: ResourcesSpec,
    prepared: PreparedData,
    folder: StudyDir,
) -> Assignment:
    """A trial's present attempt."""
    spec, vectors = trial.spec, prepared.vectors(trial.spec)
    hyperparameters = spec.hyperparameters(trial.params, vectors)
    start = vectors.get(hyperparameters.embedding)
    begun = trial.epochs[-1] if trial.epochs else None
    return Assignment(
        number=trial.number,
        attempt=trial.attempts,
        task=spec.task,
        hyperparameters=hyperparameters,
        seed=derive_seed(spec.search.seed, "trial", trial.number),
        max_epochs=spec.stopping.max_epochs,
        corpus=str(prepared.corpus.path),
        vectors=start.name if start else None,
        max_tokens=spec.data.max_tokens,
        keep=spec.data.keep,
        folder=str(folder.root),
        checkpoint_prefix=folder.checkpoint_prefix(trial.number, trial.attempts),
        unreported=folder.unreported(trial.number, trial.attempts),
        rungs=tuple(state.asha.rungs),
        restore=tuple(
            e.checkpoint
            for e in reversed(trial.epochs)
            if (folder.root / e.checkpoint.path).exists()
        ),
        last_journaled_epoch=trial.epoch,
        threads=begun.threads if begun else resources.cpus_per_trial,
        precision=_precision(state, resources, begun),
        precision_required=begun is None and resources.precision != "auto",
        keep_freed_memory=resources.keep_freed_memory,
        gpus=resources.gpus_per_trial,
    )


def _precision(state: StudyState, resources: ResourcesSpec, begun: EpochDone | None) -> str:
    """What the trial began with; for a new one what is asked for, and if that is to be
    measured, what the study's first trial on this kind of device has measured."""
    wanted, on_gpu = resources.precision, resources.gpus_per_trial > 0
    if begun is None and wanted == "auto":
        first = (t.epochs[0] for t in state.trials if t.epochs)
        begun = next((e for e in first if (e.device != "cpu") == on_gpu), None)
    return begun.precision if begun else wanted
