"""What comes with the package: built-in studies and the tasks' hyperparameters."""

from typing import Any

from search.spec.study import STUDIES, read_toml
from trainables.core.hyperparameters import Declaration, declare
from trainables.tasks.registry import find_task


def builtin_studies() -> list[dict[str, Any]]:
    """List name, data, trials and description of each built-in study.

    The description is the comment on the file's first line.
    """
    rows = []
    for path in sorted(STUDIES.glob("*.toml")):
        tables = read_toml(path)
        first_line = path.read_text("utf-8").partition("\n")[0]
        rows.append(
            {
                "name": path.stem,
                "data": tables["data"]["source"],
                "trials": tables["search"]["trials"],
                "searched": ", ".join(tables.get("space", {})) or "nothing",
                "description": first_line.removeprefix("#").strip(),
            }
        )
    return rows


def hyperparameter_rows(task: str) -> list[dict[str, Any]]:
    """List kind, range, default, meaning and source of each hyperparameter of a task.

    Raises:
        TaskError: there is no such task.
    """
    declared = declare(find_task(task).declaration.hyperparameters)
    return [
        {
            "name": name,
            "kind": one.kind,
            "range": _range(one),
            "default": one.default,
            "meaning": one.description,
            "source": one.source,
        }
        for name, one in declared.items()
    ]


def _range(one: Declaration) -> str:
    if one.choices:
        return ", ".join(map(str, one.choices))
    if one.kind == "bool":
        return "true, false"
    bounds = ((">=", one.minimum), (">", one.above), ("<=", one.maximum), ("<", one.below))
    return ", ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
