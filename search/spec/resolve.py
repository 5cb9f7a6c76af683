"""From raw tables to a resolved study: the task is asked whether they make sense."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from search.errors import SpecError
from search.spec.names import check_name
from search.spec.sections import check_kinds, explain, parse_section
from search.spec.space import Choice, Dimension, contains, parse_space, unknown_hyperparameter
from search.spec.study import StudySpec
from trainables.core.hyperparameters import Hyperparameters, declare
from trainables.errors import TaskError, did_you_mean
from trainables.tasks.declaration import TaskDeclaration
from trainables.tasks.registry import DEFAULT_TASK, find_task


def resolve(tables: dict[str, Any], origin: str, before: StudySpec | None = None) -> StudySpec:
    """Validate raw tables as a whole; ``origin`` names them in errors.

    A study that names no metric looks for the first that its task declares. A study that has begun
    as ``before`` is not refused for what was so before: a rule may be younger than a study.

    Raises:
        SpecError: the first thing that is wrong, where, and what would be right.
    """
    try:
        task = find_task(_task_name(tables)).declaration
        spec = _parse(_with_defaults(tables, task), task)
        check_name(spec.name)
        _check_metric(spec, task)
        _check_hyperparameters(spec, task)
        _check_effects(spec, task.hyperparameters, before)
        if before is None or not _is_as_before(tables, before):
            _check_inputs(spec, task)
    except (SpecError, TaskError) as error:
        raise SpecError(f"{origin}: {error}") from None
    return spec


def _task_name(tables: Mapping[str, Any]) -> str:
    name = tables.get("task", DEFAULT_TASK)
    if not isinstance(name, str):
        raise SpecError(f"task = {name!r}: write the task's name as a string")
    return name


def _with_defaults(tables: dict[str, Any], task: TaskDeclaration) -> dict[str, Any]:
    """Return the tables with a task, a metric and its better end."""
    metric = tables.get("metric", next(iter(task.metrics)))
    mode = task.metrics.get(metric, "max") if isinstance(metric, str) else "max"
    return {"task": DEFAULT_TASK, "metric": metric, "mode": mode} | tables


def _parse(tables: dict[str, Any], task: TaskDeclaration) -> StudySpec:
    """Return a study whose input tables are complete."""
    for name in task.inputs.sections:
        if not isinstance(tables.get(name, {}), dict):
            raise SpecError(f"{name} = {tables[name]!r}: write a table, [{name}]")
    check_kinds(StudySpec, tables)
    try:
        spec = StudySpec.from_tables(tables)
    except ValidationError as error:
        known = [*(StudySpec.model_fields.keys() - {"inputs"}), *task.inputs.sections]
        stray = [name for name in tables if name not in known]
        if stray:
            raise _unknown_section(stray[0], task) from None
        raise SpecError(explain(error, StudySpec)) from None
    for name in spec.inputs:
        if name not in task.inputs.sections:
            raise _unknown_section(name, task)
    inputs: dict[str, dict[str, Any]] = {}
    for name, section in task.inputs.sections.items():
        if name not in spec.inputs and any(f.is_required() for f in section.model_fields.values()):
            raise SpecError(f"{name!r} is missing")
        parsed = parse_section(section, spec.inputs.get(name, {}), name)
        inputs[name] = parsed.model_dump(mode="json", exclude_none=True)
    return spec.model_copy(update={"inputs": inputs})


def _unknown_section(name: str, task: TaskDeclaration) -> SpecError:
    known = [*(StudySpec.model_fields.keys() - {"inputs"}), *task.inputs.sections]
    return SpecError(f"unknown key {name!r}: {did_you_mean(name, known)}")


def _check_metric(spec: StudySpec, task: TaskDeclaration) -> None:
    metrics = task.metrics
    if spec.metric not in metrics:
        hint = did_you_mean(spec.metric, list(metrics))
        raise SpecError(f"task {spec.task!r} has no metric {spec.metric!r}: {hint}")
    if metrics[spec.metric] != spec.mode:
        raise SpecError(
            f"metric {spec.metric!r} is better when it is {metrics[spec.metric]}: "
            f'write mode = "{metrics[spec.metric]}"'
        )


def _is_as_before(tables: Mapping[str, Any], before: StudySpec) -> bool:
    """Whether a study reads, fixes and searches what it did before."""
    names, old = ("task", "fixed", "space", "baseline", *before.inputs), before.tables()
    return all(tables.get(name) == old[name] for name in names)


def _check_inputs(spec: StudySpec, task: TaskDeclaration) -> None:
    """The input tables suit every trial, and the baseline that ``finalize`` trains."""
    options, fields = spec.options(), task.hyperparameters.model_fields
    with_baseline = {
        name: (*options.get(name, (fields[name].default,)), value)
        for name, value in spec.baseline.items()
    }
    misfit = task.inputs.check(spec.inputs, options | with_baseline)
    if misfit:
        raise SpecError(misfit)


def _check_hyperparameters(spec: StudySpec, task: TaskDeclaration) -> None:
    """Every name is the task's, and every value in its range."""
    kind, declarations = task.hyperparameters, declare(task.hyperparameters)
    for name, value in spec.fixed.items():
        check_value(kind, name, value, "fixed")
        if name in spec.space:
            raise SpecError(f"{name!r} stands in [fixed] and in [space]: keep one")
    dimensions = parse_space(spec.space, declarations)
    for name, value in _bounds(dimensions):
        check_value(kind, name, value, "space")
    for name, value in spec.baseline.items():
        check_value(kind, name, value, "baseline")
    for index, configuration in enumerate(spec.first, start=1):
        _check_first(spec, dimensions, kind, index, configuration)


def _check_effects(spec: StudySpec, kind: type[Hyperparameters], before: StudySpec | None) -> None:
    """Every hyperparameter that is fixed or searched changes something, as does what is said of
    the stopping."""
    known = kind.without_effect(before.options()) if before else {}
    for name, reason in kind.without_effect(spec.options()).items():
        is_off = spec.fixed.get(name) is False  # it claims no effect
        if (name in spec.space or name in spec.fixed) and not is_off and name not in known:
            raise SpecError(f"{name} has no effect: {reason}; take it out")
    stopping = spec.stopping
    usual = type(stopping).model_fields["keep_paused"].default
    is_new = before is None or stopping.keep_paused != before.stopping.keep_paused
    if is_new and stopping.losers == "stop" and stopping.keep_paused != usual:
        raise SpecError(
            'stopping.keep_paused has no effect: losers = "stop" pauses no trial; take it out, '
            f"or write {usual}, the default"
        )


def _bounds(dimensions: Mapping[str, Dimension]) -> Iterator[tuple[str, Any]]:
    """Yield the values that decide whether a dimension is in its hyperparameter's range."""
    for name, dimension in dimensions.items():
        values = dimension.options if isinstance(dimension, Choice) else dimension.ends
        yield from ((name, value) for value in values)


def _check_first(
    spec: StudySpec,
    dimensions: Mapping[str, Dimension],
    kind: type[Hyperparameters],
    index: int,
    configuration: dict[str, Any],
) -> None:
    where = f"[[first]] number {index}"
    for name, value in configuration.items():
        if name not in dimensions:
            hint = did_you_mean(name, list(dimensions)) if dimensions else "[space] is empty"
            raise SpecError(f"{where}: {name!r} is not in [space]: {hint}")
        check_value(kind, name, value, where)
        if not contains(dimensions[name], value):
            raise SpecError(
                f"{where}: {name} = {value!r} lies outside space.{name} = {spec.space[name]}"
            )


def check_value(kind: type[Hyperparameters], name: str, value: Any, where: str) -> None:
    """Make sure that a hyperparameter takes a value.

    Raises:
        SpecError: unknown name, wrong kind, or out of range.
    """
    if name not in kind.model_fields:
        raise unknown_hyperparameter(name, kind.model_fields, where)
    try:
        kind.model_validate({name: value})
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        if value in ("True", "False"):
            message = f"write {value.lower()}"
        raise SpecError(f"{where}.{name} = {value!r}: {message}") from None
