"""The data that a study needs on the disk before its first trial, as its task prepares it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search.errors import SpecError
from search.journal.trial import Trial
from search.spec.study import StudySpec
from trainables.storage import Cache
from trainables.tasks.declaration import PreparedInputs
from trainables.tasks.registry import find_task


def _inputs_key(spec: StudySpec) -> str:
    """Return a key of all that decides what a study's trials read."""
    return json.dumps([spec.inputs, spec.fixed, spec.space], sort_keys=True)


#: Where data lies. It may move while a study goes on: the digest tells whether it is the same.
_PLACE = ("source", "revision")


def at_present_place(old: StudySpec, present: StudySpec) -> StudySpec:
    """Return an earlier spec of a study whose data is read where it lies now."""
    now = present.inputs.get("data", {})
    kept = {k: v for k, v in old.inputs.get("data", {}).items() if k not in _PLACE}
    moved = kept | {k: now[k] for k in _PLACE if k in now}
    return old.model_copy(update={"inputs": {**old.inputs, "data": moved}})


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
    made under, read where the data lies now.

    Raises:
        DataError: something is missing or cannot be learnt from.
        SpecError: what a trial was made under now comes to other data.
    """
    current = _prepare(spec, cache)
    earlier = {_inputs_key(t.spec): t.spec for t in trials if not t.ended and t.data == current.key}
    earlier.pop(_inputs_key(spec), None)
    found = {}
    for key, old in earlier.items():
        moved = at_present_place(old, spec)
        same = _inputs_key(moved) == _inputs_key(spec)
        found[key] = current if same else _prepare(moved, cache)
        if found[key].key != current.key:
            raise SpecError(
                "trials under way were made under settings by which "
                f"{spec.inputs['data'].get('source')!r} is other data now: put the old data back"
            )
    return PreparedData(current, found)


def _prepare(spec: StudySpec, cache: Cache) -> PreparedInputs:
    inputs = find_task(spec.task).declaration.inputs
    return inputs.prepare(spec.inputs, spec.options(), cache)
