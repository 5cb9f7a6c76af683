"""The data that a study needs on the disk before its first trial, as its task prepares it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search.journal.trial import Trial
from search.spec.study import StudySpec
from trainables.storage import Cache
from trainables.tasks.declaration import PreparedInputs
from trainables.tasks.registry import find_task


def _inputs_key(spec: StudySpec) -> str:
    """Return a key of all that decides what a study's trials read."""
    return json.dumps([spec.inputs, spec.fixed, spec.space], sort_keys=True)


@dataclass(frozen=True)
class PreparedData:
    """The data, ready for trials of the present study and for those made under an earlier one."""

    current: PreparedInputs
    earlier: Mapping[str, PreparedInputs] = field(default_factory=dict)

    def of(self, spec: StudySpec) -> PreparedInputs:
        """Return the data of trials made under this spec."""
        return self.earlier.get(_inputs_key(spec), self.current)

    def shipped_files(self) -> list[str]:
        """Return the files that a machine without the data needs, relative to its folder."""
        everything = (self.current, *self.earlier.values())
        return sorted({name for inputs in everything for name in inputs.shipped_files()})


def prepare_study(spec: StudySpec, cache: Cache, trials: Sequence[Trial] = ()) -> PreparedData:
    """Read and convert whatever is not in the cache already.

    ``trials`` are a study's: those still under way over the same data go on with what they were
    made under.

    Raises:
        DataError: something is missing or cannot be learnt from.
    """
    current = _prepare(spec, cache)
    earlier = {_inputs_key(t.spec): t.spec for t in trials if not t.ended and t.data == current.key}
    earlier.pop(_inputs_key(spec), None)
    return PreparedData(current, {key: _prepare(old, cache) for key, old in earlier.items()})


def _prepare(spec: StudySpec, cache: Cache) -> PreparedInputs:
    inputs = find_task(spec.task).declaration.inputs
    return inputs.prepare(spec.inputs, spec.options(), cache)
