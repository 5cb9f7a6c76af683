"""What a study needs on the disk before its first trial: the corpus, and word vectors for it."""

from dataclasses import dataclass, field
from pathlib import Path

from search.spec import StudySpec
from trainables.data.corpus import Corpus, prepare
from trainables.data.spec import DataSpec
from trainables.embeddings.vectors import Vectors, prepare_vectors
from trainables.tasks import find_task


@dataclass(frozen=True)
class Prepared:
    """A corpus, the vectors some trial may start from by their kind, and what to say of both."""

    corpus: Corpus
    vectors: dict[str, Vectors] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """Sentences a person should read before trusting a search over it."""
        covered = [
            f"{kind}: {v.width} numbers a word; {v.words_covered:.1%} of the vocabulary and "
            f"{v.tokens_covered:.1%} of the training tokens have a vector"
            for kind, v in self.vectors.items()
        ]
        return [*self.corpus.notes, *covered]


def prepare_study(data: DataSpec, specs: list[StudySpec], cache_dir: Path) -> Prepared:
    """Reads, tokenises and cuts whatever is not in the cache already.

    ``specs`` are the study's, and those under which trials still under way were made: they share
    ``data``, and may differ in the vectors they start from.

    Raises:
        DataError: data or vectors are missing or cannot be learnt from.
    """
    corpus = prepare(data, cache_dir, find_task(specs[0].task).labels)
    vectors = {
        kind: prepare_vectors(corpus, kind, spec.embeddings, spec.data)
        for spec in reversed(specs)
        for kind in spec.pretrained()
    }
    return Prepared(corpus, vectors)
