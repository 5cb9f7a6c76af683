"""What a session differs in from the one before it: the search, versions, code, vectors."""

import hashlib
import os
import platform
import socket
import sys
from importlib.metadata import version
from pathlib import Path

from search.driver.plan import SessionPlan
from search.driver.preparation import PreparedData
from search.errors import SpecError
from search.journal.events import SessionStarted, SpecChanged
from search.journal.state import StudyState
from search.spec.study import StudySpec
from trainables.tasks import code_of

PACKAGES = [Path(__file__).parents[2] / name for name in ("trainables",)]


def packages(spec: StudySpec) -> list[Path]:
    """The code that trials import: this package's, and a task of the user's own."""
    own = code_of(spec.task)
    return [*PACKAGES, own] if own else PACKAGES


def find_change(
    state: StudyState, spec: StudySpec, prepared: PreparedData, plan: SessionPlan
) -> SpecChanged | None:
    """What a resume searches differently from here on, if anything.

    Raises:
        SpecError: the data is another, and nobody insists, or no trial is left to be made over it.
    """
    changes, key = list(plan.change[1]) if plan.change else [], prepared.corpus.key
    if key != state.corpus:
        if not plan.force:
            raise SpecError(
                f"the data of study {state.created.name!r} has changed since it began "
                f"(data.source = {spec.data.source!r}): put the old data back, run a new study, or "
                "insist with --force: trials over the old data are then no longer compared"
            )
        if plan.total <= len(state.trials):
            raise SpecError(
                f"study {state.created.name!r} has made all its {len(state.trials)} trials over "
                "the old data: ask for more with --trials"
            )
        changes.append(f"data: {state.corpus[:12]} → {key[:12]}: earlier trials are not compared")
    if not changes:
        return None
    return SpecChanged(spec=spec.model_dump(mode="json"), corpus=key, changes=changes)


def describe_session(spec: StudySpec, prepared: PreparedData, plan: SessionPlan) -> SessionStarted:
    """What this session is begun with, as its first event."""
    names = ("seqtune", "ray", "optuna", "torch")
    return SessionStarted(
        pid=os.getpid(),
        host=socket.gethostname(),
        total=plan.total,
        resources=plan.resources.model_dump(mode="json"),
        versions={"python": platform.python_version()} | {name: version(name) for name in names},
        code=_code_digests(packages(spec)),
        vectors={kind: vectors.name for kind, vectors in prepared.vectors(spec).items()},
    )


def _code_digests(folders: list[Path]) -> dict[str, str]:
    """The beginning of the SHA-256 of each source file that trains, by its path."""
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
    """Says on stderr what is not as in the last session: the search, versions, code."""
    notes = list(change.changes) if change else []
    if before is not None:
        for old, new in (
            (before.versions, now.versions),
            (before.code, now.code),
            (before.vectors, now.vectors),
        ):
            names = sorted(name for name in old | new if old.get(name) != new.get(name))
            notes += [f"{name}: {old.get(name)} → {new.get(name)}" for name in names]
    for note in notes:
        print(f"changed since the last session: {note}", file=sys.stderr)
