"""What a session differs in from the one before it: the search, the data, versions, code."""

import hashlib
import os
import platform
import socket
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from search.driver.preparation import PreparedData
from search.errors import SpecError
from search.journal.events import SessionStarted, SpecChanged
from search.journal.state import StudyState
from search.monitor.say import say
from search.policy.samplers.registry import unheeded
from search.spec.study import ResourcesSpec, StudySpec
from trainables.core.hyperparameters import Declaration, declare
from trainables.tasks.registry import code_of, find_task

_TRAINABLES = Path(__file__).parents[2] / "trainables"

#: What belongs to a session: it may change at every resume.
_SESSION = ("search.trials", "resources.")

#: What else a resume may change unforced. Data may lie elsewhere: its digest is compared.
_SAFE = (
    "data.source",
    "search.replicates",
    "stopping.audit",
    "stopping.when_gain_below",
)

#: What would make it another study, forced or not.
_NEVER = ("name", "task", "search.warm_start")


@dataclass(frozen=True)
class SpecChange:
    """A study as it goes on, and the differences in words."""

    spec: StudySpec
    texts: tuple[str, ...]


def own_version() -> str:
    """Return this package's version; where only its code was sent there is none."""
    try:
        return version("seqtune")
    except PackageNotFoundError:
        return "sent"


def packages(spec: StudySpec) -> tuple[Path, ...]:
    """Return the code that trials import: this package's, and a task of the user's own."""
    own = code_of(spec.task)
    return (_TRAINABLES, own) if own else (_TRAINABLES,)


def declared(spec: StudySpec) -> dict[str, Declaration]:
    """Return what the study's task declares of its hyperparameters."""
    return declare(find_task(spec.task).declaration.hyperparameters)


def find_changes(
    state: StudyState, old: StudySpec, spec: StudySpec, force: bool
) -> SpecChange | None:
    """Find what a resume with ``spec`` would search differently; None if nothing.

    Raises:
        SpecError: that is more than a resume may change, or more than it may change unforced.
    """
    name = state.created.name
    changes = {
        key: f"{key}: {before!r} → {after!r}"
        for key, before, after in _differences(old.tables(), spec.tables())
        if not key.startswith(_SESSION)
    }
    never = [text for key, text in changes.items() if key.startswith(_NEVER)]
    unsafe = [text for key, text in changes.items() if not key.startswith(_SAFE)]
    if never or (unsafe and not force):
        remedy = "Run a new study with --name" + ("" if never else ", or insist with --force")
        listed = "; ".join(never or unsafe)
        raise SpecError(f"study {name!r} cannot be resumed with another {listed}. {remedy}")
    texts = [*changes.values(), *_unheeded(old, spec), *_redeclared(state, spec)]
    return SpecChange(spec, tuple(texts)) if texts else None


def _differences(old: Any, new: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            difference
            for key in sorted(old.keys() | new.keys())
            for difference in _differences(
                old.get(key), new.get(key), f"{path}.{key}" if path else key
            )
        ]
    return [] if old == new else [(path, old, new)]


def _unheeded(old: StudySpec, new: StudySpec) -> list[str]:
    """Name what the study had set that its sampler, now another, does not heed."""
    idle = sorted(set(unheeded(new)) - set(unheeded(old)))
    return [f"{setting}: no effect with sampler {new.search.sampler!r}" for setting in idle]


def _redeclared(state: StudyState, spec: StudySpec) -> list[str]:
    """Name the hyperparameters that the task declares otherwise than the journal has it."""
    old, new = (
        {name: one.model_copy(update={"description": "", "source": ""}) for name, one in some}
        for some in (state.hyperparameters.items(), declared(spec).items())
    )
    names = [name for name in sorted(old | new) if old.get(name) != new.get(name)]
    return [f"the task's hyperparameters: {', '.join(names)}"] if names else []


def record_change(
    state: StudyState, change: SpecChange | None, prepared: PreparedData, total: int, force: bool
) -> SpecChanged | None:
    """Return the event of a resume that searches differently from here on, if it does.

    Raises:
        SpecError: the data is another, and nobody insists, or no trial is left to be made over it.
    """
    spec, changes = (change.spec, list(change.texts)) if change else (state.spec, [])
    key = prepared.current.key
    if key != state.data:
        if not force:
            raise SpecError(
                f"the data of study {state.created.name!r} has changed since it began "
                f"(data.source = {spec.inputs['data'].get('source')!r}): put the old data back, "
                "run a new study, or insist with --force: trials over the old data are then no "
                "longer compared"
            )
        if total <= len(state.trials):
            raise SpecError(
                f"study {state.created.name!r} has made all its {len(state.trials)} trials over "
                "the old data: ask for more with --trials"
            )
        changes.append(f"data: {state.data[:12]} → {key[:12]}: earlier trials are not compared")
    if not changes:
        return None
    return SpecChanged(
        spec=spec.tables(), hyperparameters=declared(spec), data=key, changes=changes
    )


def describe_session(
    spec: StudySpec, prepared: PreparedData, total: int, resources: ResourcesSpec
) -> SessionStarted:
    """Return the first event of a session: what it is begun with."""
    names = ("ray", "optuna", "torch")
    return SessionStarted(
        pid=os.getpid(),
        host=socket.gethostname(),
        total=total,
        resources=resources.model_dump(mode="json"),
        versions={
            "python": platform.python_version(),
            "seqtune": own_version(),
            **{name: version(name) for name in names},
        },
        code=_code_digests(packages(spec)),
        inputs=dict(prepared.of(spec).digests),
    )


def _code_digests(folders: tuple[Path, ...]) -> dict[str, str]:
    """Return the beginning of the SHA-256 of each source file that trains, by its path."""
    return {
        str(path.relative_to(package.parent)): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for package in folders
        for path in (_sources(package) if package.is_dir() else [package])
    }


def _sources(package: Path) -> list[Path]:
    return sorted(path for kind in ("py", "cpp", "h") for path in package.rglob(f"*.{kind}"))


def tell_differences(
    before: SessionStarted | None, now: SessionStarted, change: SpecChanged | None
) -> None:
    """Say what is not as in the last session: the search, versions, code."""
    notes = list(change.changes) if change else []
    if before is not None:
        for old, new in (
            (before.versions, now.versions),
            (before.code, now.code),
            (before.inputs, now.inputs),
        ):
            names = sorted(name for name in old | new if old.get(name) != new.get(name))
            notes += [f"{name}: {old.get(name)} → {new.get(name)}" for name in names]
    for note in notes:
        say(f"changed since the last session: {note}")
