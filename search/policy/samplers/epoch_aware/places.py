"""Where trials lie in a space: by the parameters that they have, and by what was suggested.

Legend: N trials, D axes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial

from search.policy.surrogate.axes import Array, Axes

#: Where a trial carries all that was suggested for it, before its code has asked for each.
SUGGESTED = "seqtune:suggested"

#: Where Optuna puts parameters that its user has enqueued.
_ENQUEUED = "fixed_params"


def asked(trial: FrozenTrial) -> dict[str, Any]:
    """Return the parameters that were suggested for a trial, and those that it has beside them.

    Its code may have had no use for some, or another range: it has others then, or none. What was
    suggested would seem untried for ever, if it were known by those.
    """
    suggested = trial.system_attrs.get(SUGGESTED, {})
    enqueued = trial.system_attrs.get(_ENQUEUED, {})
    return {
        **suggested,
        **{k: v for k, v in trial.params.items() if k not in suggested},
        **enqueued,
    }


class Places:
    """The points of trials on a space's axes; each trial is looked at once, while it is the same
    object and the axes are the same."""

    def __init__(self) -> None:
        self._of: tuple[Any, ...] = ()
        self._trials: list[FrozenTrial | None] = []
        self._taken_ND = self._asked_ND = np.empty((0, 0))

    def look(self, axes: Axes, trials: Sequence[FrozenTrial]) -> tuple[Array, Array]:
        """Return the points of what trials have, and of what they were asked to have, x_ND."""
        numbers = [trial.number for trial in trials]
        self._make_room(axes, max(numbers, default=-1) + 1)
        new = [trial for trial in trials if self._trials[trial.number] is not trial]
        if new:
            rows = [trial.number for trial in new]
            self._taken_ND[rows] = axes.points([trial.params for trial in new])
            self._asked_ND[rows] = axes.points([asked(trial) for trial in new])
            for trial in new:
                self._trials[trial.number] = trial
        return self._taken_ND[numbers], self._asked_ND[numbers]

    def _make_room(self, axes: Axes, trials: int) -> None:
        if self._of != (axes.names, axes.axes):
            self._of, self._trials = (axes.names, axes.axes), []
            self._taken_ND = self._asked_ND = np.empty((0, len(axes)))
        more = trials - len(self._trials)
        if more > 0:
            more = max(more, len(self._trials))  # twice as many, or each new trial would copy all
            self._trials += [None] * more
            room_MD = np.full((more, len(axes)), np.nan)
            self._taken_ND = np.vstack((self._taken_ND, room_MD))
            self._asked_ND = np.vstack((self._asked_ND, room_MD))
