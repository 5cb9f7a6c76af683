"""The Ray side of a trial: an actor that trains one attempt after another.

This is the only file of the package that imports Ray. It imports no torch at the top, because the
driver loads it too. It decides nothing and keeps nothing. Errors leave it unchanged, so that Ray
ends the actor and the study hears of it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from trainables.attempts.messages import REPORTS, Assignment

if TYPE_CHECKING:
    from trainables.attempts.attempt import Attempt

#: Keys of the dictionaries that Ray carries. In the actor's config are the assignment, as JSON, and
#: how long an epoch may wait to be reported together with later ones. In its results are the
#: reports, as JSON.
ASSIGNMENT, REPORT_SECONDS, EPOCHS = "assignment", "report_seconds", "epochs"


class RecurrentTrial(tune.Trainable):
    """The actor. One step trains and reports the epochs of one message.

    Ray reuses the actor for the next trial, without a new process.
    """

    def setup(self, config: dict[str, Any], parcel: Sequence[Any] = ()) -> None:
        """Take an assignment; the work starts with the first step.

        ``parcel`` holds a reference to the packed corpus; it is empty if the folder is shared.
        """
        self._parcel = parcel
        self._take(config)

    def _take(self, config: dict[str, Any]) -> None:
        self._assignment = Assignment.model_validate_json(config[ASSIGNMENT])
        self._report_seconds = float(config[REPORT_SECONDS])
        self._attempt: Attempt | None = None

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Drop the old trial and take the next one."""
        self._take(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train and report the next epoch that is not acknowledged yet, or several quick ones."""
        from trainables.attempts.attempt import begin, next_epochs
        from trainables.attempts.log import warnings_to

        with warnings_to(Path(self._assignment.folder) / self._assignment.log):
            if self._attempt is None:
                self._attempt = begin(self._assignment, self._data())
            reports = next_epochs(self._attempt, self._report_seconds)
        return {EPOCHS: REPORTS.dump_json(reports).decode()}

    def _data(self) -> Path:
        """Return the folder of the prepared data on this machine.

        Unpack the parcel if the data can be read neither in the shared folder nor in this machine's
        cache.
        """
        from trainables.data.shipping import unpack
        from trainables.storage import default_cache

        shared, cache = Path(self._assignment.data), default_cache()
        for folder in (shared, cache.corpus(shared.name), cache.sent(shared.name)):
            places = (folder, *(folder / name for name in self._assignment.inputs.files))
            # Another user's cache may be closed to this one.
            if all(os.access(place, os.R_OK) for place in places):
                return folder
        if not self._parcel:
            raise FileNotFoundError(f"no prepared data in {shared}, and none was sent")
        return unpack(ray.get(self._parcel[0]), shared.name, cache)
