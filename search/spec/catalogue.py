"""What comes with the package: built-in studies and the hyperparameters."""

from typing import Any

from search.spec.space import kind_of
from search.spec.study import STUDIES, read_toml
from trainables.core.hyperparameters import Hyperparameters


def builtin_studies() -> list[dict[str, Any]]:
    """Name, data, trials and description of each built-in study.

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


def hyperparameter_rows() -> list[dict[str, Any]]:
    """Kind, range, default, meaning and source of each hyperparameter."""
    properties = Hyperparameters.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "kind": kind_of(name),
            "range": _range(schema),
            "default": schema["default"],
            "meaning": schema["description"],
            "source": schema.get("source", ""),
        }
        for name, schema in properties.items()
    ]


def _range(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema["type"] == "boolean":
        return "true, false"
    low = f">= {schema['minimum']:g}" if "minimum" in schema else ""
    low = low or (f"> {schema['exclusiveMinimum']:g}" if "exclusiveMinimum" in schema else "")
    high = f"<= {schema['maximum']:g}" if "maximum" in schema else ""
    high = high or (f"< {schema['exclusiveMaximum']:g}" if "exclusiveMaximum" in schema else "")
    return ", ".join(part for part in (low, high) if part)
