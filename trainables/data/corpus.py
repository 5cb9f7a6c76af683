"""The corpus: token ids, offsets and labels of each part, memory-mapped and content-addressed.

A corpus is a folder, named by the digest of its source and its settings. Every trial on a machine
maps the same files, so their pages are shared. The test part lies in a folder of its own, which a
search never opens.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.data.part import ARRAYS, Part, fingerprints, map_part
from trainables.data.sources.source import Source, find_source
from trainables.data.spec import DataSpec
from trainables.data.splitting.parts import Parts, cut_parts
from trainables.data.tables.read import read_parts
from trainables.data.tables.table import Labels
from trainables.errors import DataError
from trainables.storage import Cache, new_folder

#: Part of every corpus's digest: raise it when a corpus is made differently, and all are rebuilt.
FORMAT = 9

#: The digests of the texts of the test part, which other parts must not hold.
_TEST_PRINTS = "test.digests"

#: A larger share of unknown tokens is said.
_MANY_UNKNOWN = 0.1


@dataclass(frozen=True)
class Corpus:
    """A prepared data set on disk; its parts are mapped on demand.

    Attributes:
        path: its folder.
        classes: names of the classes by number; empty where labels are numbers.
        vocabulary: number of distinct token ids.
        sizes: number of texts of each part.
        unknown: share of the validation part's tokens that are not in the vocabulary.
        notes: sentences that a person should read before trusting a search over it.
    """

    path: Path
    classes: tuple[str, ...]
    vocabulary: int
    sizes: dict[str, int]
    unknown: float
    notes: tuple[str, ...]

    @property
    def key(self) -> str:
        """The digest that names this corpus."""
        return self.path.name

    @property
    def tokenizer_file(self) -> Path:
        """File of the tokenizer for raw text, in the format of the ``tokenizers`` library."""
        return self.path / "tokenizer.json"

    def vectors_file(self, name: str) -> Path:
        """Return the path of a file of word vectors."""
        return self.path / "vectors" / name

    def part(self, name: str) -> Part:
        """Map one part read-only; ``test`` is for the final score only.

        Raises:
            DataError: the part's files are gone, or are no valid .npy files.
        """
        return map_part(self.path / name)

    def test_prints(self) -> bytes:
        """Return the digests of the test part's texts (``part.fingerprints``), by which a text that
        is known can be told to be one of them.

        They were kept when the corpus was made, so the part stays closed; that of a corpus made
        before they were is read.
        """
        kept = self.path / _TEST_PRINTS
        if kept.exists():
            return kept.read_bytes()
        return fingerprints(self.part("test")) if self.sizes.get("test") else b""


def open_corpus(path: Path) -> Corpus:
    """Open the prepared corpus in a folder.

    Raises:
        DataError: the folder holds no complete corpus.
    """
    try:
        about = json.loads((path / "corpus.json").read_text(encoding="utf-8"))
        return Corpus(
            path,
            tuple(about["classes"]),
            about["vocabulary"],
            about["sizes"],
            about["unknown"],
            tuple(about["notes"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"no usable corpus in {path}: {error}; remove it to rebuild it") from error


def corpus_key(spec: DataSpec, labels: str = "class") -> str:
    """Return the digest of a corpus.

    It covers the format, the bytes of the source, and every setting that shapes the corpus.
    ``max_tokens`` and ``keep`` are left out, because texts are stored whole and cut when read.
    """
    return _key(spec, find_source(spec.source, spec.revision, spec.split), labels)


def _key(spec: DataSpec, source: Source, labels: str) -> str:
    choices = spec.model_dump(mode="json", exclude={"source", "revision", "max_tokens", "keep"})
    recipe = json.dumps([FORMAT, labels, source.digest(), choices], sort_keys=True)
    return hashlib.sha256(recipe.encode()).hexdigest()[:32]


def prepare(spec: DataSpec, cache: Cache, labels: Labels = "class") -> Corpus:
    """Read, split and tokenise a data set once; later calls open the prepared corpus.

    ``labels`` says whether each label is one of a closed set (``class``) or a number to predict
    (``number``).

    Raises:
        DataError: the source is unreadable or cannot be learnt from (one class, too few rows).
    """
    source = find_source(spec.source, spec.revision, spec.split)
    path = cache.corpus(_key(spec, source, labels))
    if not (path / "corpus.json").exists():
        _build(path, spec, cache, labels)
    corpus = open_corpus(path)
    # Files that are passed over are no part of the corpus, and others may have come since.
    return replace(corpus, notes=(*source.notes, *corpus.notes))


def _build(path: Path, spec: DataSpec, cache: Cache, labels: Labels) -> None:
    try:
        building = new_folder(path.parent, "building-")
    except OSError as error:
        raise DataError(
            f"cannot write to the cache {cache.root}: {error.strerror}; name another folder by "
            "SEQTUNE_CACHE"
        ) from error
    try:
        tables = read_parts(spec, cache.datasets, labels).parts
        _write(building, cut_parts(tables, spec, labels), spec)
        os.replace(building, path)
    except OSError as error:
        if not (path / "corpus.json").exists():  # otherwise another process made the same first
            raise DataError(f"cannot write the corpus to {path}: {error.strerror}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _tokens(spec: DataSpec, train: Sequence[str]) -> tuple[str, list[str]]:
    """Return the kind of tokens: characters where words cannot be told by blanks; and a note."""
    from trainables.data.text.scripts import lack_blanks

    if spec.tokens not in ("words", "wordpieces") or not lack_blanks(train):
        return spec.tokens, []
    return "characters", [
        "the texts are mostly of a script without blanks between words: they are read character by "
        "character"
    ]


def _cut_short(parts: Parts) -> list[str]:
    from trainables.data.text.tokens import MAX_CHARACTERS

    long = sum(len(text) > MAX_CHARACTERS for texts in parts.texts.values() for text in texts)
    return [f"{long} texts are longer than {MAX_CHARACTERS:,} characters: cut"] if long else []


def _write(folder: Path, parts: Parts, spec: DataSpec) -> None:
    from trainables.data.text.tokens import UNKNOWN, clean, tokenise, with_normaliser

    cleaned = {part: [clean(text) for text in texts] for part, texts in parts.texts.items()}
    kind, notes = _tokens(spec, cleaned["train"])
    notes += _cut_short(parts)
    tokenizer, ids_of = tokenise(kind, cleaned, spec.vocabulary)
    validation = np.concatenate(ids_of["validation"])
    unknown = float((validation == UNKNOWN).sum() / max(1, len(validation)))
    if unknown > _MANY_UNKNOWN:
        notes.append(f"{unknown:.0%} of the validation tokens never stand in training")
    for part, labels_N in parts.labels.items():
        ids = ids_of[part]
        offsets = np.zeros(len(ids) + 1, dtype=np.int64)
        np.cumsum([len(text) for text in ids], out=offsets[1:])
        (folder / part).mkdir()
        arrays: dict[str, NDArray[Any]] = {
            "ids": np.concatenate(ids),
            "offsets": offsets,
            "labels": labels_N,
        }
        for name in ARRAYS:
            np.save(folder / part / f"{name}.npy", arrays[name], allow_pickle=False)
    if "test" in parts.labels:
        (folder / _TEST_PRINTS).write_bytes(fingerprints(map_part(folder / "test")))
    with_normaliser(tokenizer).save(str(folder / "tokenizer.json"))
    about = {
        "format": FORMAT,
        "classes": parts.classes,
        "vocabulary": tokenizer.get_vocab_size(),
        "sizes": {part: len(texts) for part, texts in parts.texts.items()},
        "unknown": unknown,
        "notes": [*parts.notes, *notes],
    }
    (folder / "corpus.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
