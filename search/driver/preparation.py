"""What a study needs on the disk before its first trial: the corpus, and word vectors for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from search.journal.state import Trial
from search.spec.study import StudySpec
from trainables.data.corpus import Corpus, prepare
from trainables.embeddings.spec import EmbeddingsSpec
from trainables.embeddings.vectors import Vectors, prepare_vectors
from trainables.tasks import find_task

#: What a spec says that decides which vectors its trials get: sources, and how texts are cut.
Choices = tuple[EmbeddingsSpec, int, str]


def _choices(spec: StudySpec) -> Choices:
    return spec.embeddings, spec.data.max_tokens, spec.data.keep


@dataclass(frozen=True)
class PreparedData:
    """A corpus, and the vectors some trial may start from, for every spec that trials have."""

    corpus: Corpus
    by_choices: dict[Choices, dict[str, Vectors]] = field(default_factory=dict)

    def vectors(self, spec: StudySpec) -> dict[str, Vectors]:
        """The vectors of trials made under this spec, by their kind."""
        return self.by_choices.get(_choices(spec), {})

    @property
    def files(self) -> list[str]:
        """All vector files by their name in the corpus."""
        return sorted({v.name for kinds in self.by_choices.values() for v in kinds.values()})

    def notes(self, spec: StudySpec) -> list[str]:
        """Sentences a person should read before trusting a search over it."""
        covered = [
            f"{kind}: {v.width} numbers a word; {v.words_covered:.1%} of the vocabulary and "
            f"{v.tokens_covered:.1%} of the training tokens have a vector"
            for kind, v in self.vectors(spec).items()
        ]
        return [*self.corpus.notes, *covered]


def prepare_study(spec: StudySpec, cache_dir: Path, trials: Sequence[Trial] = ()) -> PreparedData:
    """Reads, tokenises and cuts whatever is not in the cache already.

    ``trials`` are a study's: those still under way over the same data keep the vectors of the spec
    they were made under.

    Raises:
        DataError: data or vectors are missing or cannot be learnt from.
    """
    corpus = prepare(spec.data, cache_dir, find_task(spec.task).labels)
    under_way = [t.spec for t in trials if not t.ended and t.corpus == corpus.key]
    by_choices: dict[Choices, dict[str, Vectors]] = {}
    for one in [*under_way, spec]:
        kinds = by_choices.setdefault(_choices(one), {})
        for kind in one.pretrained():
            kinds[kind] = prepare_vectors(corpus, kind, one.embeddings, one.data)
    return PreparedData(corpus, by_choices)
