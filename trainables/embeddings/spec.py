"""The ``[embeddings]`` table of a study: one record with the settings of every source."""

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
