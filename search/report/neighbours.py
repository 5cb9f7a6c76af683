"""The words nearest to one in the best trial's embedding."""

from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from search.errors import NoFiniteResult, SpecError
from search.journal.folder import StudyDir
from search.journal.state import StudyState
from trainables.data.corpus import Corpus, open_corpus
from trainables.data.text.tokens import UNKNOWN
from trainables.errors import CheckpointError, DataError, did_you_mean
from trainables.storage import Cache
from trainables.tasks.registry import find_task

#: Averaged weights before the last ones: they are what was evaluated.
_WEIGHTS = ("average.module.embedding.weight", "model.embedding.weight")


def nearest_words(
    folder: StudyDir, state: StudyState, word: str, count: int, cache: Cache
) -> list[dict[str, Any]]:
    """``count`` words with their cosine to ``word``, nearest first.

    Raises:
        NoFiniteResult: no trial has a result.
        CheckpointError: the best trial's checkpoint is gone or has no embedding.
        SpecError: the word is not in the study's vocabulary.
        DataError: the study's texts are gone.
    """
    best = state.best()
    if best is None:
        raise NoFiniteResult(f"no trial of {folder.name!r} has a result yet")
    corpus = _corpus(state, cache)
    tokenizer = Tokenizer.from_file(str(corpus.tokenizer_file))
    index_of = tokenizer.get_vocab()
    ids = tokenizer.encode(word, add_special_tokens=False).ids
    if len(ids) != 1 or ids[0] == UNKNOWN:
        hint = did_you_mean(word.lower(), [w for w in index_of if w[:1] == word[:1].lower()])
        hint = hint if hint.startswith("did") else "try another word"
        raise SpecError(f"{word!r} is not one of the study's {len(index_of):,} words: {hint}")
    weights_VE = _embedding(folder.root / best.epoch.checkpoint.path)
    norms_V = np.linalg.norm(weights_VE, axis=1)
    cosines_V = weights_VE @ weights_VE[ids[0]] / np.maximum(norms_V * norms_V[ids[0]], 1e-12)
    word_of = {index: name for name, index in index_of.items()}
    order = [int(i) for i in np.argsort(-cosines_V) if i > UNKNOWN and i != ids[0]]
    return [{"word": word_of[i], "cosine": float(cosines_V[i])} for i in order[:count]]


def _corpus(state: StudyState, cache: Cache) -> Corpus:
    """Open the texts that the study was searched over, and no others.

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


def _embedding(path: Path) -> Any:
    try:
        with safe_open(path, framework="np") as file:
            names = [name for name in _WEIGHTS if name in file.keys()]  # noqa: SIM118
            return file.get_tensor(names[0] if names else _WEIGHTS[-1])
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"no embedding to look at in {path}: {error}") from error
