"""From command-line options to a resolved study and a launch; nothing is started here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.config import ClusterConfig, parse_cluster
from search.errors import SpecError
from search.journal.state import StudyState
from search.spec.overrides import apply_settings, parse_setting
from search.spec.study import ResourcesSpec, StudySpec, find_study_file, read_toml, resolve
from trainables.data.corpus import default_cache
from trainables.data.sources import PACKAGED

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")

#: What belongs to a session: it may change at every resume.
_SESSION = ("search.trials", "resources.")

#: What else a resume may change unforced. Data may lie elsewhere: its digest is compared.
_SAFE = ("data.source",)

#: What would make it another study, forced or not.
_NEVER = ("name", "task")


@dataclass(frozen=True)
class SessionPlan:
    """What belongs to this invocation and not to the study."""

    total: int
    resources: ResourcesSpec
    cluster: ClusterConfig
    cache_dir: Path
    time_budget: float | None = None
    change: tuple[StudySpec, list[str]] | None = None
    force: bool = False
    take_over: bool = False


@dataclass(frozen=True)
class Options:
    """Options of ``run`` and ``resume`` as given; None where not."""

    name: str | None = None
    trials: int | None = None
    time_budget: str | None = None
    max_concurrent: int | None = None
    cpus_per_trial: int | None = None
    gpus_per_trial: float | None = None
    max_failures: int | None = None
    cluster: str = "local"
    data: str | None = None
    settings: tuple[str, ...] = ()
    seed: int | None = None

    def as_settings(self) -> list[tuple[list[str], Any]]:
        """``--set`` and the options that are short for one, the latter winning."""
        short = {
            "name": self.name,
            "search.trials": self.trials,
            "search.seed": self.seed,
            "data.source": self.data,
            "resources.max_concurrent": self.max_concurrent,
            "resources.cpus_per_trial": self.cpus_per_trial,
            "resources.gpus_per_trial": self.gpus_per_trial,
            "resources.max_failures": self.max_failures,
        }
        given = [(key.split("."), value) for key, value in short.items() if value is not None]
        return [parse_setting(setting) for setting in self.settings] + given


def parse_duration(text: str) -> float:
    """Seconds of ``90``, ``45s``, ``30m`` or ``1h30m``.

    Raises:
        SpecError: not a duration above zero.
    """
    found = _DURATION.fullmatch(text.strip())
    hours, minutes, seconds = (float(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + seconds
    if total <= 0:
        raise SpecError(f"--time-budget {text!r}: write 45s, 30m or 1h30m")
    return total


def new_study(study: str, options: Options) -> StudySpec:
    """Reads a study file and lays the options over it.

    Raises:
        SeqtuneError: what is wrong, where, and what to do.
    """
    path = find_study_file(study)
    tables = read_toml(path)
    if options.data is not None and isinstance(tables.get("data"), dict):
        _forget_columns(tables["data"], options.data)
    spec = resolve(apply_settings(tables, options.as_settings()), str(study))
    return _at_home(spec)


def _at_home(spec: StudySpec) -> StudySpec:
    """A study whose local files are named by their whole paths."""
    places = {name: _absolute(value) for name, value in spec.embeddings.places().items()}
    embeddings = spec.embeddings.model_copy(update=places)
    data = spec.data
    if data.source not in PACKAGED:
        data = data.model_copy(update={"source": _absolute(data.source)})
    return spec.model_copy(update={"data": data, "embeddings": embeddings})


def _absolute(source: str) -> str:
    """A local file or folder, or a file of a local archive, by its whole path, so that the study
    resumes from any folder."""
    path = Path(source).expanduser()
    local = path.exists() or any(parent.is_file() for parent in path.parents)
    return str(path.absolute()) if local else source


def _forget_columns(data: dict[str, Any], source: str) -> None:
    """Other data has columns of its own: they are looked for, unless named with ``--set``."""
    if source != data.get("source"):
        data.pop("text", None)
        data.pop("label", None)


@dataclass(frozen=True)
class Change:
    """An existing study with the options laid over it, and what that changes."""

    spec: StudySpec
    texts: list[str]


def changed_study(state: StudyState, options: Options, force: bool) -> Change:
    """Lays the options over an existing study.

    Raises:
        SpecError: an option would change what is searched and ``force`` is off, or would make it
            another study.
    """
    old = state.present_spec().model_dump(mode="json", exclude_none=True)
    origin = f"study {state.created.name!r}"
    spec = _at_home(resolve(apply_settings(old, options.as_settings()), origin))
    new = spec.model_dump(mode="json", exclude_none=True)
    if spec.search.trials < len(state.trials):
        raise SpecError(
            f"--trials {spec.search.trials} is the TOTAL; study {state.created.name!r} has "
            f"{len(state.trials)} trials already"
        )
    changes = {
        key: f"{key}: {before!r} → {after!r}"
        for key, before, after in _differences(old, new)
        if not key.startswith(_SESSION)
    }
    never = [text for key, text in changes.items() if key.startswith(_NEVER)]
    unsafe = [text for key, text in changes.items() if not key.startswith(_SAFE)]
    if never or (unsafe and not force):
        remedy = "Run a new study with --name" + ("" if never else ", or insist with --force")
        listed = "; ".join(never or unsafe)
        raise SpecError(
            f"study {state.created.name!r} cannot be resumed with another {listed}. {remedy}"
        )
    return Change(spec, list(changes.values()))


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


def plan_session(spec: StudySpec, options: Options, changes: Sequence[str] = ()) -> SessionPlan:
    """What this invocation asks for.

    Raises:
        SeqtuneError, ClusterError: an option is wrong.
    """
    budget = options.time_budget
    return SessionPlan(
        total=spec.search.trials,
        resources=spec.resources,
        cluster=parse_cluster(options.cluster),
        cache_dir=default_cache(),
        time_budget=None if budget is None else parse_duration(budget),
        change=(spec, list(changes)) if changes else None,
    )
