"""A study as it stands in its file: validated, frozen, and written back to TOML.

``resolve`` (``search.spec.resolve``) makes a ``StudySpec`` from raw tables and asks the task about
them. Whoever reads a journal makes one from the tables in it, and needs no task.
"""

import re
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from search.errors import SpecError, StudyNotFound
from search.spec.objective import Objective
from trainables.errors import did_you_mean
from trainables.tasks.declaration import Mode

STUDIES = Path(__file__).parent / "studies"

#: A study file larger than this is refused unread.
MAX_BYTES = 1 << 20


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SearchSpec(_Section):
    """How many trials in all, and who chooses them.

    Attributes:
        replicates: the share of the trials that run a promising configuration again, with another
            seed, so that luck is told from merit.
        warm_start: former studies, beside this one or by their folders, that the sampler begins
            with.
    """

    trials: int = Field(default=20, ge=1, le=1_000_000)
    sampler: str = "auto"
    seed: int = Field(default=0, ge=0, lt=2**63)
    replicates: float = Field(default=0.0, ge=0.0, le=0.5)
    warm_start: tuple[str, ...] = ()

    def located(self) -> Self:
        """Return a copy in which every former study's folder is an absolute path."""
        whole = [_whole_folder(name) for name in self.warm_start]
        return self.model_copy(update={"warm_start": tuple(whole)})


def _whole_folder(name: str) -> str:
    """Return a folder's absolute path; a study's name, or what is no path, as it is."""
    try:
        return str(Path(name).expanduser().absolute()) if "/" in name else name
    except RuntimeError:  # of a user whom there is not: whoever opens it says so
        return name


class StoppingSpec(_Section):
    """Successive halving: the longest training, the first comparison, the share that goes on.

    Attributes:
        losers: a trial that is not among the best at a rung is paused, and goes on if it is later
            seen to be among them; or it is stopped.
        audit: the share of the losers that is trained to its end all the same, by lot, which tells
            what halving costs.
        when_gain_below: the search ends when what it may still gain is surely less than this, in
            the metric's units; 0 for never.
        keep_paused: so many trials stay paused at most, each with two checkpoints on the disk.
    """

    max_epochs: int = Field(default=10, ge=1, le=100_000)
    grace_epochs: int = Field(default=1, ge=1)
    reduction_factor: int = Field(default=3, ge=2)
    losers: Literal["pause", "stop"] = "pause"
    keep_paused: int = Field(default=20, ge=1, le=100_000)
    audit: float = Field(default=0.0, ge=0.0, le=1.0)
    when_gain_below: float = Field(default=0.0, ge=0.0)

    @model_validator(mode="after")
    def _grace_fits(self) -> Self:
        if self.grace_epochs > self.max_epochs:
            raise ValueError(
                f"grace_epochs = {self.grace_epochs} exceeds max_epochs = {self.max_epochs}"
            )
        return self


class ResourcesSpec(_Section):
    """What one trial takes, how many run at a time, and what becomes of those in trouble.

    Attributes:
        gpus_per_trial: one GPU or a share of one; 0 to compute on CPUs.
        precision: what a model multiplies in. With ``auto`` a study's first workers measure whether
            half the bits (bfloat16) are faster there. A trial keeps what it began with.
        keep_freed_memory: let the C library keep what a step frees for the next, on Linux's CPUs.
        max_failures: how often a lost trial is tried again.
        hang_factor: a trial counts as hung when it reports nothing for so many times its longest
            epoch, and for ``hang_seconds`` at least.
        first_report_seconds: how long a trial may take for its first report.
        keep_best: of so many of the best ended trials one checkpoint stays on the disk.
        keep: which one: that of the best epoch, or of the last.
        tensorboard: which trials have a run in TensorBoard: ``all``, ``top:50`` for those that are
            among the best 50 when they end, or none with ``study``.
    """

    cpus_per_trial: int = Field(default=1, ge=1)
    gpus_per_trial: float = Field(default=0.0, ge=0.0, le=1.0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    keep_freed_memory: bool = True
    max_concurrent: int | None = Field(default=None, ge=1)
    max_failures: int = Field(default=2, ge=0)
    hang_factor: float = Field(default=10.0, ge=2.0)
    hang_seconds: float = Field(default=120.0, gt=0.0)
    first_report_seconds: float = Field(default=3600.0, gt=0.0)
    keep_best: int = Field(default=10, ge=1)
    keep: Literal["best", "last"] = "best"
    tensorboard: str = Field(default="all", pattern=r"^(all|study|top:[1-9][0-9]{0,5})$")


class StudySpec(_Section):
    """One study, resolved: every section present, every value of its kind.

    Attributes:
        inputs: the task's own tables, such as ``data``; they stand at the top of the file.
        fixed: hyperparameters that are not searched.
        space: the raw table of each searched hyperparameter; ``parse_space`` reads it.
        first: configurations to try first, each of some searched hyperparameters.
        baseline: what the study is to beat in the end; without it its first configuration.
    """

    name: str
    task: str
    metric: str
    mode: Mode
    inputs: dict[str, dict[str, Any]]
    fixed: dict[str, Any] = {}
    space: dict[str, Any] = {}
    first: tuple[dict[str, Any], ...] = ()
    baseline: dict[str, Any] = {}
    search: SearchSpec = SearchSpec()
    stopping: StoppingSpec = StoppingSpec()
    resources: ResourcesSpec = ResourcesSpec()

    @classmethod
    def from_tables(cls, tables: dict[str, Any]) -> Self:
        """Make a study from the tables of its file or of a journal.

        Raises:
            pydantic.ValidationError: a section of the search's own is wrong.
        """
        known = cls.model_fields.keys() - {"inputs"}
        own = {name: table for name, table in tables.items() if name in known}
        inputs = {name: table for name, table in tables.items() if name not in known}
        return cls.model_validate(own | {"inputs": inputs})

    def tables(self) -> dict[str, Any]:
        """Return the tables of its file: plain JSON, ``None`` left out."""
        dump = self.model_dump(mode="json", exclude_none=True)
        inputs = dump.pop("inputs")
        head = {name: dump.pop(name) for name in ("name", "task", "metric", "mode")}
        return {**head, **inputs, **dump}

    @property
    def objective(self) -> Objective:
        """What is looked for."""
        return Objective(self.metric, self.mode)

    def options(self) -> dict[str, tuple[Any, ...]]:
        """Return the values that some trial may take, of each hyperparameter that is fixed or
        searched; of a range its ends."""
        fixed = {name: (value,) for name, value in self.fixed.items()}
        searched = {
            name: tuple(entry) if isinstance(entry, list) else (entry["low"], entry["high"])
            for name, entry in self.space.items()
        }
        return fixed | searched


def find_study_file(study: str) -> Path:
    """Return a built-in study's file, or a path as given.

    Raises:
        StudyNotFound: neither, or it cannot be looked for.
    """
    builtin = STUDIES / f"{study}.toml"
    try:
        if "/" not in study and builtin.is_file():
            return builtin
        path = Path(study).expanduser()
        if path.is_file():
            return path
    except (OSError, RuntimeError) as error:  # a long name, a closed folder, or no such user
        reason = error.strerror if isinstance(error, OSError) else error
        raise StudyNotFound(f"cannot look for the study file {study!r}: {reason}") from None
    known = sorted(file.stem for file in STUDIES.glob("*.toml"))
    raise StudyNotFound(
        f"no study file {study!r} and no built-in study of that name: {did_you_mean(study, known)}"
    )


def read_toml(path: Path) -> dict[str, Any]:
    """Read the raw tables of a study file.

    Raises:
        SpecError: unreadable, too large, or not TOML.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(f"{path} is larger than {MAX_BYTES} bytes: not a study file")
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise SpecError(f"{path} is not valid TOML: {error}") from error
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        python = re.search(r"^[^#\n'\"]*=\s*(True|False)\b", text, re.MULTILINE)
        hint = f"; write {python[1].lower()} for {python[1]}" if python else ""
        raise SpecError(f"{path} is not valid TOML: {error}{hint}") from error


def to_toml(spec: StudySpec) -> str:
    """Write a resolved study as a study file that resolves to the same spec."""
    import tomli_w

    return tomli_w.dumps(spec.tables())
