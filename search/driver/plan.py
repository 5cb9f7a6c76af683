"""From options to a resolved study and a plan of this session; nothing is started here."""

from dataclasses import dataclass
from typing import Any

from cluster.kinds import parse_cluster
from cluster.kinds.base import ClusterKind
from search.driver.changes import SpecChange, find_changes
from search.errors import SpecError
from search.journal.state import StudyState
from search.policy.samplers.registry import check_sampler
from search.spec.durations import parse_duration
from search.spec.overrides import Setting, apply_settings, take_new_source
from search.spec.resolve import resolve
from search.spec.study import ResourcesSpec, StudySpec, find_study_file, read_toml
from trainables.storage import Cache, default_cache
from trainables.tasks.registry import find_task


@dataclass(frozen=True)
class SessionPlan:
    """What belongs to this session and not to the study.

    Attributes:
        time_budget: seconds of wall clock; None for no limit.
        change: what the study searches differently from here on.
        force: go on over other data, too.
        take_over: the driver on another host is known to be dead.
    """

    total: int
    resources: ResourcesSpec
    cluster: ClusterKind
    cache: Cache
    time_budget: float | None = None
    change: SpecChange | None = None
    force: bool = False
    take_over: bool = False


@dataclass(frozen=True)
class Options:
    """Options of ``run`` and ``resume`` as given; None where not.

    ``settings`` are texts, as ``--set`` takes them, or already keys and value.
    """

    name: str | None = None
    trials: int | None = None
    time_budget: str | float | None = None
    max_concurrent: int | None = None
    cpus_per_trial: int | None = None
    gpus_per_trial: float | None = None
    max_failures: int | None = None
    tensorboard: str | None = None
    cluster: str = "local"
    data: str | None = None
    settings: tuple[str | Setting, ...] = ()
    seed: int | None = None

    def as_settings(self) -> list[str | Setting]:
        """Return ``--set`` and the options that are short for one, the latter winning."""
        short = {
            "name": self.name,
            "search.trials": self.trials,
            "search.seed": self.seed,
            "data.source": self.data,
            "resources.max_concurrent": self.max_concurrent,
            "resources.cpus_per_trial": self.cpus_per_trial,
            "resources.gpus_per_trial": self.gpus_per_trial,
            "resources.max_failures": self.max_failures,
            "resources.tensorboard": self.tensorboard,
        }
        given = [(key.split("."), value) for key, value in short.items() if value is not None]
        return [*self.settings, *given]


def new_study(study: str, options: Options) -> StudySpec:
    """Read a study file and lay the options over it.

    Raises:
        SeqtuneError: what is wrong, where, and what to do.
    """
    return study_of_tables(read_toml(find_study_file(study)), options, str(study))


def study_of_tables(tables: dict[str, Any], options: Options, origin: str) -> StudySpec:
    """Lay the options over a study's tables; ``origin`` names them in errors.

    Raises:
        SeqtuneError: what is wrong, where, and what to do.
    """
    if options.data is not None:
        take_new_source(tables, options.data)
    return _checked(resolve(apply_settings(tables, options.as_settings()), origin), origin)


def _checked(spec: StudySpec, origin: str, begun: bool = False) -> StudySpec:
    """Return a study whose sampler exists and whose local files have whole paths.

    One that has ``begun`` may no longer leave out what it was begun with.
    """
    try:
        check_sampler(spec, begun)
    except SpecError as error:
        raise SpecError(f"{origin}: {error}") from None
    sections = find_task(spec.task).declaration.inputs.parse(spec.inputs)
    inputs = {
        name: section.located().model_dump(mode="json", exclude_none=True)
        for name, section in sections.items()
    }
    return spec.model_copy(update={"inputs": inputs, "search": spec.search.located()})


def changed_study(
    state: StudyState, options: Options, force: bool
) -> tuple[StudySpec, SpecChange | None]:
    """Lay the options over an existing study: what it then is, and what that changes.

    Raises:
        SpecError: an option would change what is searched and ``force`` is off, or would make it
            another study.
    """
    name = state.created.name
    origin, old = f"study {name!r}", state.present_spec()
    tables = apply_settings(old.tables(), options.as_settings())
    spec = _checked(resolve(tables, origin, before=old), origin, begun=True)
    if spec.search.trials < len(state.trials):
        raise SpecError(
            f"--trials {spec.search.trials} is the TOTAL; study {name!r} has "
            f"{len(state.trials)} trials already"
        )
    return spec, find_changes(state, old, spec, force)


def plan_session(
    spec: StudySpec,
    options: Options,
    change: SpecChange | None = None,
    force: bool = False,
    take_over: bool = False,
) -> SessionPlan:
    """Return what this session asks for.

    Raises:
        SeqtuneError, ClusterError: an option is wrong.
    """
    budget = options.time_budget
    return SessionPlan(
        total=spec.search.trials,
        resources=spec.resources,
        cluster=parse_cluster(options.cluster),
        cache=default_cache(),
        time_budget=None if budget is None else parse_duration(budget),
        change=change,
        force=force,
        take_over=take_over,
    )
