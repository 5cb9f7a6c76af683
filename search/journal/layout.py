"""Where a trial's files lie in a study's folder, and what its run is called in TensorBoard: names
that follow from numbers alone."""

import re
from typing import NamedTuple

from trainables.attempts.messages import checkpoint_name

CHECKPOINTS = "checkpoints"

#: TensorBoard's run of the study itself.
STUDY_RUN = "study"


def trial_run(trial: int) -> str:
    """Return the name of a trial's run in TensorBoard."""
    return f"trial-{trial:04d}"


def checkpoint_folder(trial: int) -> str:
    """Return the folder of a trial's checkpoints, relative to the study's."""
    return f"{CHECKPOINTS}/trial-{trial:04d}"


def checkpoint_prefix(trial: int, attempt: int) -> str:
    """Return the start of an attempt's checkpoint paths, relative to the study's folder."""
    return f"{checkpoint_folder(trial)}/attempt-{attempt:02d}-"


def checkpoint_path(trial: int, attempt: int, epoch: int) -> str:
    """Return the path of an epoch's checkpoint, relative to the study's folder."""
    return checkpoint_name(checkpoint_prefix(trial, attempt), epoch)


class Stored(NamedTuple):
    """Which epoch a checkpoint is of."""

    attempt: int
    epoch: int


def read_checkpoint_name(name: str) -> Stored | None:
    """Return what a file in a trial's folder is of; None if it is no checkpoint."""
    found = re.fullmatch(r"attempt-(\d+)-epoch-(\d+)\.safetensors", name)
    return Stored(int(found[1]), int(found[2])) if found else None
