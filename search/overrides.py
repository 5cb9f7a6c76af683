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
    return result
