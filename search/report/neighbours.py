"""The words nearest to one in the best trial's embedding."""

from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from search.errors import NoFiniteResult, SpecError
from search.journal.folder import StudyDir
from search.journal.state import StudyState
from search.report.corpus import study_corpus
from trainables.data.text.tokens import UNKNOWN
from trainables.errors import CheckpointError, did_you_mean
from trainables.storage import Cache

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
    corpus = study_corpus(state, cache)
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


def _embedding(path: Path) -> Any:
    try:
        with safe_open(path, framework="np") as file:
            names = [name for name in _WEIGHTS if name in file.keys()]  # noqa: SIM118
            return file.get_tensor(names[0] if names else _WEIGHTS[-1])
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"no embedding to look at in {path}: {error}") from error
