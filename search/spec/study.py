"""The study file: TOML in, a validated frozen ``StudySpec`` out, and back to TOML."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from search.errors import SpecError, StudyNotFound
from search.journal.folder import check_name
from search.spec.space import Choice, Dimension, Value, check_value, contains, parse_space
from trainables.core.hyperparameters import Hyperparameters
from trainables.data.spec import DataSpec
from trainables.embeddings.spec import EmbeddingsSpec
from trainables.errors import TaskError, did_you_mean
from trainables.tasks import find_task

if TYPE_CHECKING:
    from trainables.embeddings.vectors import Vectors

STUDIES = Path(__file__).parent / "studies"

#: A study file larger than this is refused unread.
MAX_BYTES = 1 << 20


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SearchSpec(_Section):
    """How many trials in all, and who chooses them."""

    trials: int = Field(default=20, ge=1, le=1_000_000)
    sampler: Literal["tpe", "random", "gp"] = "tpe"
    seed: int = Field(default=0, ge=0, lt=2**63)


class StoppingSpec(_Section):
    """Successive halving: the longest training, the first comparison, the share that goes on."""

    max_epochs: int = Field(default=10, ge=1, le=100_000)
    grace_epochs: int = Field(default=1, ge=1)
    reduction_factor: int = Field(default=3, ge=2)

    @model_validator(mode="after")
    def _grace_fits(self) -> "StoppingSpec":
        if self.grace_epochs > self.max_epochs:
            raise ValueError(
                f"grace_epochs = {self.grace_epochs} exceeds max_epochs = {self.max_epochs}"
            )
        return self


class ResourcesSpec(_Section):
    """What one trial takes, how many run at a time, and what becomes of those in trouble.

    A trial computes on one GPU or a share of one. ``precision`` is what a model multiplies in;
    with ``auto`` a study's first workers measure whether half the bits (bfloat16 on a CPU, float16
    on a GPU) are faster there. A trial keeps what it began with.
    With ``keep_freed_memory`` the C library keeps what a step frees for the next, on Linux's CPUs.
    A lost trial is tried again ``max_failures`` times. One that reports nothing for
    ``hang_factor`` times its longest epoch, and for ``hang_seconds`` at least, counts as hung; so
    does one that gives no first report within ``first_report_seconds``.
    The best checkpoints of the best ``keep_best`` ended trials stay on the disk.
    """

    cpus_per_trial: int = Field(default=1, ge=1)
    gpus_per_trial: float = Field(default=0.0, ge=0.0, le=1.0)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    keep_freed_memory: bool = True
    max_concurrent: int | None = Field(default=None, ge=1)
    max_failures: int = Field(default=2, ge=0)
    hang_factor: float = Field(default=10.0, ge=2.0)
    hang_seconds: float = Field(default=120.0, gt=0.0)
    first_report_seconds: float = Field(default=3600.0, gt=0.0)
    keep_best: int = Field(default=10, ge=1)


class StudySpec(_Section):
    """One study, resolved: every section present, every value of its kind."""

    name: str
    task: str = "text-classification"
    metric: str = "val/accuracy"
    mode: Literal["min", "max"] = "max"
    data: DataSpec
    embeddings: EmbeddingsSpec = EmbeddingsSpec()
    fixed: dict[str, Any] = {}
    space: dict[str, Any] = {}
    first: tuple[dict[str, Any], ...] = ()
    search: SearchSpec = SearchSpec()
    stopping: StoppingSpec = StoppingSpec()
    resources: ResourcesSpec = ResourcesSpec()

    def dimensions(self) -> dict[str, Dimension]:
        """The parsed space."""
        return parse_space(self.space)

    def hyperparameters(
        self, params: dict[str, Value], vectors: Mapping[str, "Vectors"]
    ) -> Hyperparameters:
        """The whole configuration of a trial with these searched values.

        Vectors learnt elsewhere bring their own width.
        """
        chosen = {**self.fixed, **params}
        found = vectors.get(str(chosen.get("embedding")))
        if found is not None:
            chosen["embedding_dim"] = found.width
        return Hyperparameters.model_validate(chosen)

    def pretrained(self) -> list[str]:
        """Kinds of word vectors that some trial may start from."""
        dimension = self.dimensions().get("embedding")
        options = dimension.options if isinstance(dimension, Choice) else ()
        kinds = {*options, self.fixed.get("embedding", "scratch" if not options else None)}
        return sorted(str(kind) for kind in kinds if kind not in (None, "scratch"))


def find_study_file(study: str) -> Path:
    """A built-in study's file, or a path as given.

    Raises:
        StudyNotFound: neither.
    """
    builtin = STUDIES / f"{study}.toml"
    if "/" not in study and builtin.is_file():
        return builtin
    path = Path(study).expanduser()
    if path.is_file():
        return path
    known = sorted(file.stem for file in STUDIES.glob("*.toml"))
    raise StudyNotFound(
        f"no study file {study!r} and no built-in study of that name: {did_you_mean(study, known)}"
    )


def read_toml(path: Path) -> dict[str, Any]:
    """The raw tables of a study file.

    Raises:
        SpecError: unreadable, too large, or not TOML.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(f"{path} is larger than {MAX_BYTES} bytes: not a study file")
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise SpecError(f"{path} is not valid TOML: {error}") from error


def resolve(tables: dict[str, Any], origin: str) -> StudySpec:
    """Validates raw tables as a whole; ``origin`` names them in errors.

    Raises:
        SpecError: the first thing that is wrong, where, and what would be right.
    """
    try:
        spec = StudySpec.model_validate(tables)
    except ValidationError as error:
        raise SpecError(f"{origin}: {_explain(error)}") from None
    try:
        check_name(spec.name)
        _check_task(spec)
        _check_values(spec)
    except (SpecError, TaskError) as error:
        raise SpecError(f"{origin}: {error}") from None
    return spec


def _check_task(spec: StudySpec) -> None:
    task = find_task(spec.task)
    metrics = task.directions
    if spec.metric not in metrics:
        hint = did_you_mean(spec.metric, list(metrics))
        raise SpecError(f"task {spec.task!r} has no metric {spec.metric!r}: {hint}")
    if metrics[spec.metric] != spec.mode:
        raise SpecError(
            f"metric {spec.metric!r} is better when it is {metrics[spec.metric]}: "
            f'write mode = "{metrics[spec.metric]}"'
        )
    for name in {*spec.fixed, *spec.space} & {*task.unused}:
        raise SpecError(f"{name!r} means nothing to task {spec.task!r}: take it out")


def _check_values(spec: StudySpec) -> None:
    dimensions = spec.dimensions()
    for name, value in spec.fixed.items():
        check_value(name, value, "fixed")
        if name in dimensions:
            raise SpecError(f"{name!r} stands in [fixed] and in [space]: keep one")
    berts = {"bert", "bert-features"} & {*spec.pretrained()}
    if berts and spec.data.tokens != "bert":
        raise SpecError(
            f'embedding = "{min(berts)}" needs its own word pieces: write data.tokens = "bert"'
        )
    _check_embedding(spec)
    for index, config in enumerate(spec.first, start=1):
        for name, value in config.items():
            if name not in dimensions:
                hint = did_you_mean(name, list(dimensions)) if dimensions else "[space] is empty"
                raise SpecError(f"[[first]] number {index}: {name!r} is not in [space]: {hint}")
            check_value(name, value, f"[[first]] number {index}")
            if not contains(dimensions[name], value):
                raise SpecError(
                    f"[[first]] number {index}: {name} = {value!r} lies outside "
                    f"space.{name} = {spec.space[name]}"
                )


def _check_embedding(spec: StudySpec) -> None:
    """Refuses what no trial's embedding would heed."""
    named, kinds = {*spec.fixed, *spec.space}, {*spec.pretrained()}
    scratch = "scratch" in (spec.fixed.get("embedding") or spec.space.get("embedding") or "scratch")
    if "embedding_dim" in named and not scratch:
        raise SpecError(
            "embedding_dim has no effect: the embedding's vectors bring their own; take it out"
        )
    searched = {"freeze_embedding", "freeze_epochs", "embedding_lr_factor"} & {*spec.space}
    if searched and kinds == {"bert-features"} and not scratch:
        raise SpecError(
            f"space.{min(searched)} has no effect: BERT's features stay frozen; take it out"
        )


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("SplitNames",)]
    place = [part for part in place if not part.startswith(("tuple[", "function-"))]
    where = ".".join(place)
    if first["type"] == "extra_forbidden":
        section: Any = StudySpec
        for part in place[:-1]:
            section = section.model_fields[part].annotation if section else None
        known = list(section.model_fields) if section else []
        return f"unknown key {where!r}: {did_you_mean(place[-1], known)}"
    if first["type"] == "missing":
        return f"{where!r} is missing"
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def to_toml(spec: StudySpec) -> str:
    """The resolved study as a study file that resolves to the same spec."""
    import tomli_w

    return tomli_w.dumps(spec.model_dump(mode="json", exclude_none=True))
