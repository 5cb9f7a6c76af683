"""``--set section.key=value`` and the options that are short for it, laid over a study's tables."""

import copy
import tomllib
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from search.errors import SpecError
from search.spec.sections import parse_section, wants_text
from search.spec.study import StoppingSpec
from trainables.data.reading.rows import Dialect
from trainables.data.spec import DataSpec
from trainables.errors import TaskError
from trainables.tasks.declaration import TaskDeclaration
from trainables.tasks.registry import DEFAULT_TASK, find_task

#: Keys of a setting, and its value.
Setting = tuple[list[str], Any]

#: Classes of a study's tables, by name.
Sections = Mapping[str, type[BaseModel]]

#: Setting one of these takes the same key out of the other.
_EXCLUSIVE = {"fixed": "space", "space": "fixed"}


def parse_setting(setting: str, sections: Sections = MappingProxyType({})) -> Setting:
    """Split ``section.key=value``; read the value as TOML, or else take it as a bare string.

    Where one of ``sections`` wants a text, a number or a date is taken as it is written: a column
    may be called ``1.50``.

    Raises:
        SpecError: no ``=`` or an empty key.
    """
    path, equals, literal = setting.partition("=")
    keys = [key.strip() for key in path.split(".")]
    if not equals or not all(keys):
        raise SpecError(f"--set {setting!r}: write section.key=value, as in search.seed=3")
    try:
        value = tomllib.loads(f"value = {literal}")["value"]
    except (ValueError, RecursionError):  # an integer of thousands of digits is a ValueError
        return keys, literal.strip() or literal  # a delimiter may be a tab
    section = sections.get(keys[0]) if len(keys) == 2 else None
    is_text = isinstance(value, (str, list, dict))
    if section is not None and not is_text and wants_text(section, keys[1]):
        return keys, literal.strip()
    return keys, value


def apply_settings(tables: dict[str, Any], settings: Sequence[str | Setting]) -> dict[str, Any]:
    """Return a copy of the tables with the settings laid over, later ones over earlier.

    A hyperparameter that a setting leaves without effect is taken out of the tables: to fix the
    embedding at given vectors is to take their width.

    Raises:
        SpecError: a setting cannot be parsed, or a key goes through something that is no table.
    """
    result, task = copy.deepcopy(tables), _declaration(tables)
    sections = task.inputs.sections if task else {}
    parsed = [parse_setting(one, sections) if isinstance(one, str) else one for one in settings]
    for keys, value in parsed:
        _lay_over(result, keys, value)
    named = {keys[1] for keys, _ in parsed if keys[0] in _EXCLUSIVE and len(keys) > 1}
    if task and named:
        idle = task.hyperparameters.without_effect
        # Only what the settings made idle: a mistake in the file, or in themselves, is told.
        for name in idle(_options(result)).keys() - idle(_options(tables)).keys() - named:
            _take_out(result, name)
    return result


def _options(tables: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return the values that some trial may take, as far as tables say them that nobody checked."""
    fixed, space = (
        table if isinstance(table, dict) else {}
        for table in (tables.get("fixed"), tables.get("space"))
    )
    found: dict[str, tuple[Any, ...]] = {name: (value,) for name, value in fixed.items()}
    for name, entry in space.items():
        if isinstance(entry, list):
            found[name] = tuple(entry)
        elif isinstance(entry, dict) and {"low", "high"} <= entry.keys():
            found[name] = (entry["low"], entry["high"])
    plain = (str, int, float)  # what is none of them is told when the study is checked
    return {k: some for k, some in found.items() if all(isinstance(one, plain) for one in some)}


def take_new_source(tables: dict[str, Any], source: str) -> None:
    """Forget what describes the data of another source, such as its columns."""
    task, data = _declaration(tables), tables.get("data")
    section = task.inputs.sections.get("data") if task else None
    if section is None or not isinstance(data, dict) or data.get("source") == source:
        return
    for key in section.described_by.get("source", ()):
        data.pop(key, None)


def _declaration(tables: dict[str, Any]) -> TaskDeclaration | None:
    """The task's, if there is one: whoever validates the tables says what is wrong."""
    try:
        return find_task(str(tables.get("task", DEFAULT_TASK))).declaration
    except TaskError:
        return None


def _lay_over(tables: dict[str, Any], keys: list[str], value: Any) -> None:
    table = tables
    for depth, key in enumerate(keys[:-1], start=1):
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise SpecError(f"--set {'.'.join(keys)}: {'.'.join(keys[:depth])} is no table")
    table[keys[-1]] = value
    other = _EXCLUSIVE.get(keys[0])
    if other and len(keys) == 2 and isinstance(tables.get(other), dict):
        tables[other].pop(keys[1], None)
    if keys[0] == "fixed" and len(keys) == 2:
        _take_out_of_first(tables, keys[1])


def _take_out(tables: dict[str, Any], name: str) -> None:
    for section in ("fixed", "space"):
        if isinstance(tables.get(section), dict):
            tables[section].pop(name, None)
    _take_out_of_first(tables, name)


def _take_out_of_first(tables: dict[str, Any], name: str) -> None:
    """Take a hyperparameter out of the configurations to try first.

    They keep their places: the trial of a number takes the one of that number, and draws what it
    does not say.
    """
    first = tables.get("first")
    if isinstance(first, list) and all(isinstance(config, dict) for config in first):
        for config in first:
            config.pop(name, None)


def other_stopping(stopping: StoppingSpec, settings: Sequence[str]) -> StoppingSpec:
    """Return another stopping of the same trials: no longer, and without audits.

    Raises:
        SpecError: a setting is of another section, of no such key, or cannot be replayed.
    """
    table: dict[str, Any] = stopping.model_dump() | {"audit": 0.0}
    for setting in settings:
        keys, value = parse_setting(setting)
        if len(keys) != 2 or keys[0] != "stopping":
            raise SpecError(f"--set {setting}: only stopping.… can be replayed")
        table[keys[1]] = value
    changed = parse_section(StoppingSpec, table, "stopping")
    for key, known in (("audit", 0.0), ("when_gain_below", stopping.when_gain_below)):
        if getattr(changed, key) not in (0.0, known):
            raise SpecError(f"stopping.{key} cannot be replayed: it decides on trials to come")
    if changed.max_epochs > stopping.max_epochs:
        raise SpecError(
            f"stopping.max_epochs = {changed.max_epochs}: the trials were trained for "
            f"{stopping.max_epochs} epochs at most, and what came after is not known"
        )
    return changed


#: Settings of the data that a model brings, or that are about parts to be made; and those of how a
#: file is written.
_OF_MODEL = frozenset(
    {"max_tokens", "keep", "tokens", "vocabulary", "split_by", "group", "overlap"}
)
_WRITTEN = frozenset({"text", "encoding", "delimiter", "quoting", "header"})


def written_of(settings: Sequence[str]) -> tuple[str | None, Dialect]:
    """Return the column of the texts, if it is named, and how a file is written, by settings of the
    data.

    Raises:
        SpecError: one is wrong, or about something else.
    """
    given = data_settings(settings)
    _refuse(given, given.keys() - _WRITTEN, f"only {', '.join(sorted(_WRITTEN))} count here")
    spec = parse_section(DataSpec, {"source": "texts.csv", **given}, "data")
    if isinstance(spec.text, tuple):
        raise SpecError("data.text: one column of texts is read here")
    return spec.text, Dialect(spec.encoding, spec.delimiter, spec.quoting, spec.header)


def _refuse(given: Mapping[str, Any], names: Collection[str], why: str) -> None:
    for name in sorted(given.keys() & set(names)):
        raise SpecError(f"--set data.{name} has no effect: {why}")


def data_of(source: str, settings: Sequence[str]) -> DataSpec:
    """Return the ``[data]`` table of a source, with settings of how it is written.

    Raises:
        SpecError: one is wrong, or not of the data.
    """
    table = {"source": source, **data_settings(settings)}
    return parse_section(DataSpec, table, "data").located()


def data_for_model(source: str, settings: Sequence[str]) -> DataSpec:
    """Return the same for texts that a model is to read, which brings some of the settings.

    Raises:
        SpecError: one is wrong, not of the data, or the model's.
    """
    _refuse(data_settings(settings), _OF_MODEL, "the model brings its own")
    return data_of(source, settings)


def data_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Return the values of settings that are all of the data.

    Raises:
        SpecError: one is not.
    """
    given = {}
    for text in settings:
        keys, value = parse_setting(text, {"data": DataSpec})
        if len(keys) != 2 or keys[0] != "data" or keys[1] == "source":
            raise SpecError(f"--set {text}: only settings of the data, data.KEY=VALUE, count here")
        given[keys[1]] = value
    return given
