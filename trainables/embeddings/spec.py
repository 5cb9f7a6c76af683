"""The ``[embeddings]`` table of a study: the settings of every source, side by side."""

from typing import TYPE_CHECKING, Any, cast

from pydantic import create_model

from trainables.data.spec import Section
from trainables.embeddings.sources import SOURCES


def _combined() -> type[Section]:
    """Make one record with the keys of all sources; each source reads its own part of it."""
    parts = [entry.load_settings() for entry in SOURCES.values()]
    bases: Any = tuple(part for part in parts if part is not None)
    combined: Any = create_model("EmbeddingsSpec", __base__=bases)
    return cast(type[Section], combined)


if TYPE_CHECKING:
    EmbeddingsSpec = Section
else:
    EmbeddingsSpec = _combined()
