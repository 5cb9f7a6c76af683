"""``--set section.key=value`` and the options that are short for it, laid over a study's tables."""

import copy
import tomllib
from typing import Any

from search.errors import SpecError

#: Setting one of these takes the same key out of the other.
_EXCLUSIVE = {"fixed": "space", "space": "fixed"}


def parse_setting(setting: str) -> tuple[list[str], Any]:
    """Splits ``section.key=value``; the value is read as TOML, or else taken as a bare string.

    Raises:
        SpecError: no ``=`` or an empty key.
    """
    path, equals, literal = setting.partition("=")
    keys = [key.strip() for key in path.split(".")]
    if not equals or not all(keys):
        raise SpecError(f"--set {setting!r}: write section.key=value, as in search.seed=3")
    try:
        return keys, tomllib.loads(f"value = {literal}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return keys, literal.strip()


def apply_settings(tables: dict[str, Any], settings: list[tuple[list[str], Any]]) -> dict[str, Any]:
    """A copy of the tables with the settings laid over, later ones over earlier.

    Raises:
        SpecError: a key goes through something that is not a table.
    """
    result = copy.deepcopy(tables)
    if any(keys == ["fixed", "embedding"] and value != "scratch" for keys, value in settings):
        _take_out_width(result)
    for keys, value in settings:
        table = result
        for depth, key in enumerate(keys[:-1], start=1):
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise SpecError(f"--set {'.'.join(keys)}: {'.'.join(keys[:depth])} is no table")
        table[keys[-1]] = value
        other = _EXCLUSIVE.get(keys[0])
        if other and len(keys) == 2 and isinstance(result.get(other), dict):
            result[other].pop(keys[1], None)
        if keys[0] == "fixed" and len(keys) == 2:
            _take_out_of_first(result, keys[1])
    return result


def _take_out_width(tables: dict[str, Any]) -> None:
    """Vectors learnt elsewhere bring their own width."""
    for section in ("fixed", "space"):
        if isinstance(tables.get(section), dict):
            tables[section].pop("embedding_dim", None)
    _take_out_of_first(tables, "embedding_dim")


def _take_out_of_first(tables: dict[str, Any], name: str) -> None:
    """What is fixed is no longer to be tried. The configurations keep their places: the trial of a
    number takes the one of that number, and draws what it does not say."""
    first = tables.get("first")
    if isinstance(first, list) and all(isinstance(config, dict) for config in first):
        for config in first:
            config.pop(name, None)
