"""The Ray side of a trial: an actor that trains one attempt after another, an epoch a step.

The only file of this package that imports ray, and it imports no torch: the driver loads it too.
It decides nothing and keeps nothing. Errors leave it as they are, so that Ray ends the actor and
the study hears of it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from trainables.attempts.messages import REPORTS, Assignment

if TYPE_CHECKING:
    from trainables.attempts.attempt import Attempt

#: Keys of what Ray carries: an assignment into the actor and reports out of it, as JSON.
ASSIGNMENT, EPOCHS = "assignment", "epochs"


class RecurrentTrial(tune.Trainable):
    """One step is the epochs of one message; reused for the next trial without a new process."""

    def setup(
        self, config: dict[str, Any], parcel: Sequence[Any] = (), report_seconds: float = 0.0
    ) -> None:
        """Take an assignment; the work starts with the first step.

        ``parcel`` holds a reference to the packed corpus, or nothing where the folder is shared;
        ``report_seconds`` is how long an epoch may wait to be reported together with the next.
        """
        self._parcel, self._report_seconds = parcel, report_seconds
        self._take(config)

    def _take(self, config: dict[str, Any]) -> None:
        self._assignment = Assignment.model_validate_json(config[ASSIGNMENT])
        self._attempt: Attempt | None = None

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Drop the old trial and take the next one."""
        self._take(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train an epoch that is not yet acknowledged, or several quick ones, and report them."""
        from trainables.attempts.attempt import begin, next_epochs

        if self._attempt is None:
            self._attempt = begin(self._assignment, self._data())
        reports = next_epochs(self._attempt, self._report_seconds)
        return {EPOCHS: REPORTS.dump_json(reports).decode()}

    def _data(self) -> Path:
        """Return the prepared data on this machine; unpack the parcel where it is missing."""
        from trainables.data.shipping import unpack
        from trainables.storage import default_cache

        shared, cache = Path(self._assignment.data), default_cache()
        for folder in (shared, cache.corpus(shared.name)):
            if folder.exists() and all(
                (folder / f).exists() for f in self._assignment.inputs.files
            ):
                return folder
        if not self._parcel:
            raise FileNotFoundError(f"no prepared data in {shared}, and none was sent")
        return unpack(ray.get(self._parcel[0]), shared.name, cache)
