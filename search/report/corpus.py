"""The texts that a study was searched over."""

from search.journal.state import StudyState
from trainables.data.corpus import Corpus, open_corpus
from trainables.errors import DataError
from trainables.storage import Cache
from trainables.tasks.registry import find_task


def study_corpus(state: StudyState, cache: Cache) -> Corpus:
    """Open the texts that a study was searched over, and no others.

    They are prepared anew where the cache has lost them.

    Raises:
        DataError: what is in their place now is other data.
    """
    folder = cache.corpus(state.data)
    if not folder.exists():
        prepared = find_task(state.spec.task).declaration.inputs.prepare(
            state.spec.inputs, {}, cache
        )
        if prepared.key != state.data:
            raise DataError(
                f"the data of study {state.created.name!r} has changed since, and the prepared "
                f"texts are no longer in the cache ({folder}): put the old data back"
            )
    return open_corpus(folder)
