"""The ``[embeddings]`` table of a study: one record with the settings of every source."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, cast

from pydantic import create_model

from trainables.data.spec import Section
from trainables.embeddings.sources import SOURCES


def _combined() -> type[Section]:
    """Build one class that inherits the settings of all sources; each source reads its own keys."""
    parts = [entry.load_settings() for entry in SOURCES.values()]
    bases: Any = tuple(part for part in parts if part is not None)
    combined: Any = create_model("EmbeddingsSpec", __base__=bases)
    return cast(type[Section], combined)


if TYPE_CHECKING:  # a type checker cannot see a class that is built at run time
    EmbeddingsSpec = Section
else:
    EmbeddingsSpec = _combined()


def settings_of(table: Mapping[str, Any], kinds: Collection[str]) -> dict[str, Any]:
    """Return what an ``[embeddings]`` table says to these sources."""
    parts = [entry.load_settings() for kind, entry in SOURCES.items() if kind in kinds]
    known = {name for part in parts if part is not None for name in part.model_fields}
    return {name: value for name, value in table.items() if name in known}
