"""The corpus: token ids, offsets and labels of each part, memory-mapped and content-addressed.

A corpus is a folder named by the digest of what it was made from. Every trial on a machine maps
the same files, so their pages are shared; the test part lies in a folder of its own that a search
never opens.
"""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from trainables.data.sources import Table, find_source, read_tables
from trainables.data.spec import DataSpec, SplitNames
from trainables.data.splits import PARTS, split_rows
from trainables.errors import DataError

FORMAT = 2
ARRAYS = ("ids", "offsets", "labels")


@dataclass(frozen=True)
class Part:
    """One part's texts: text ``i`` is ``ids[offsets[i]:offsets[i + 1]]``, its class ``labels[i]``.

    ids int32, offsets int64 (one more than there are texts), labels int64.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class Corpus:
    """A prepared data set on disk; parts are mapped when asked for.

    ``notes`` are sentences a person should read before trusting a search over it.
    """

    path: Path
    classes: tuple[str, ...]
    vocabulary: int
    sizes: dict[str, int]
    notes: tuple[str, ...]

    @property
    def key(self) -> str:
        """The digest that names this corpus."""
        return self.path.name

    @property
    def tokenizer_file(self) -> Path:
        """The tokenizer for raw text, in the format of the ``tokenizers`` library."""
        return self.path / "tokenizer.json"

    def vectors_file(self, name: str) -> Path:
        """Where word vectors of this vocabulary are kept."""
        return self.path / "vectors" / name

    def part(self, name: str) -> Part:
        """Maps one part read-only. ``test`` is for final scoring only.

        Raises:
            DataError: the part's files are gone or are not what was written.
        """
        try:
            ids, offsets, labels = (
                np.load(self.path / name / f"{array}.npy", mmap_mode="r", allow_pickle=False)
                for array in ARRAYS
            )
        except (OSError, ValueError) as error:
            raise DataError(f"part {name!r} of corpus {self.path} is damaged: {error}") from None
        return Part(ids, offsets, labels)


def default_cache() -> Path:
    """Where prepared corpora are kept, for all studies of this user (``SEQTUNE_CACHE``)."""
    return Path(os.environ.get("SEQTUNE_CACHE") or user_cache_path("seqtune"))


def corpus_folder(cache_dir: Path, key: str) -> Path:
    """Where a corpus lies in a cache."""
    return cache_dir / "corpora" / key


def open_corpus(path: Path) -> Corpus:
    """Opens a prepared corpus by its folder.

    Raises:
        DataError: the folder holds no complete corpus.
    """
    try:
        about = json.loads((path / "corpus.json").read_text())
        return Corpus(
            path,
            tuple(about["classes"]),
            about["vocabulary"],
            about["sizes"],
            tuple(about["notes"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"no usable corpus in {path}: {error}; remove it to rebuild it") from error


def corpus_key(spec: DataSpec) -> str:
    """The digest a corpus of this spec has: format, source bytes and every choice that shapes it.

    ``max_tokens`` and ``keep`` are left out: texts are stored whole and cut when read.
    """
    choices = spec.model_dump(mode="json", exclude={"source", "max_tokens", "keep"})
    recipe = json.dumps([FORMAT, find_source(spec.source).digest(), choices], sort_keys=True)
    return hashlib.sha256(recipe.encode()).hexdigest()[:32]


def prepare(spec: DataSpec, cache_dir: Path) -> Corpus:
    """Reads, splits and tokenises a data set once; later calls open what is there.

    Raises:
        DataError: the source is unreadable or cannot be learnt from (one class, too few rows).
    """
    path = corpus_folder(cache_dir, corpus_key(spec))
    if (path / "corpus.json").exists():
        return open_corpus(path)
    tables = read_tables(spec, cache_dir / "datasets")
    classes = _classes(tables, spec.source)
    parts = _cut(tables, classes, spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix="building-", dir=path.parent))
    try:
        notes = [*_left_out(tables), *_oddities(parts, classes)]
        _write(building, parts, classes, spec.vocabulary, notes)
        os.replace(building, path)
    except OSError as error:
        if not (path / "corpus.json").exists():  # else: another process was first, with the same
            raise DataError(f"cannot write the corpus to {path}: {error.strerror}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return open_corpus(path)


#: Rows or classes named in a note; more are only counted.
_NAMED = 5


def _left_out(tables: dict[str, Table]) -> list[str]:
    """A note on each part that has unusable rows."""
    notes = []
    for part, table in tables.items():
        if table.left_out:
            rows = ", ".join(map(str, table.left_out[:_NAMED]))
            more = ", …" if len(table.left_out) > _NAMED else ""
            notes.append(
                f"{len(table.left_out)} rows of the {part} data left out for want of a text or a "
                f"label: {rows}{more}"
            )
    return notes


def _oddities(
    parts: dict[str, tuple[list[str], NDArray[np.int64]]], classes: list[str | int | float | bool]
) -> list[str]:
    """Notes on classes never seen in training, and on one that drowns the others."""
    counts = np.bincount(parts["train"][1], minlength=len(classes))
    notes = []
    unseen = [str(label) for label, count in zip(classes, counts, strict=True) if count == 0]
    if unseen:
        listed = ", ".join(unseen[:_NAMED])
        notes.append(f"{len(unseen)} classes are never seen in training: {listed}")
    share = counts.max() / counts.sum()
    if share >= 0.9:
        label = classes[int(counts.argmax())]
        notes.append(f"{share:.1%} of the training texts are {label!r}: accuracy says little")
    return notes


def _classes(tables: dict[str, Table], source: str) -> list[str | int | float | bool]:
    """Distinct labels of all parts, numbers by value and strings by spelling."""
    seen = {label for table in tables.values() for label in table.labels}
    classes = sorted(seen, key=lambda x: (isinstance(x, str), x))
    if len(classes) == 1:
        raise DataError(
            f"all rows of {source!r} have the label {classes[0]!r}: "
            "a classifier needs at least two classes"
        )
    rows = sum(len(table.labels) for table in tables.values())
    if len(classes) > max(2, rows // 2):
        raise DataError(
            f"{source!r} has {len(classes)} different labels in {rows} rows: "
            "is data.label the right column?"
        )
    return classes


def _cut(
    tables: dict[str, Table], classes: list[str | int | float | bool], spec: DataSpec
) -> dict[str, tuple[list[str], NDArray[np.int64]]]:
    """Texts and class numbers of the three parts."""
    number = {label: i for i, label in enumerate(classes)}
    coded = {
        name: (table.texts, np.array([number[y] for y in table.labels], dtype=np.int64))
        for name, table in tables.items()
    }
    if isinstance(spec.split, SplitNames):
        names = spec.split.model_dump()
        missing = [name for name in names.values() if name not in coded]
        if missing:
            raise DataError(f"{spec.source!r} has no part {missing[0]!r}; it has {list(coded)}")
        return {part: coded[name] for part, name in names.items()}
    brought = {part: coded[part] for part in PARTS[1:] if part in coded}
    texts, labels_N = coded["train"]
    kept = [part for part in PARTS if part not in brought]
    wanted = [spec.split[PARTS.index(part)] for part in kept]
    fractions = tuple(fraction / sum(wanted) for fraction in wanted)
    rows = split_rows(texts, labels_N, fractions, spec.split_seed)
    cut = {
        part: ([texts[i] for i in chosen], labels_N[chosen])
        for part, chosen in zip(kept, rows, strict=True)
    }
    return {part: {**brought, **cut}[part] for part in PARTS}


def _write(
    folder: Path,
    parts: dict[str, tuple[list[str], NDArray[np.int64]]],
    classes: list[str | int | float | bool],
    vocabulary: int,
    notes: list[str],
) -> None:
    from trainables.data.tokens import clean, learn_words, with_normaliser

    cleaned = {part: [clean(text) for text in texts] for part, (texts, _) in parts.items()}
    tokenizer = learn_words(cleaned["train"], vocabulary)
    for part, (_, labels_N) in parts.items():
        encodings = tokenizer.encode_batch_fast(cleaned[part], add_special_tokens=False)
        ids = [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]
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
    with_normaliser(tokenizer).save(str(folder / "tokenizer.json"))
    about = {
        "format": FORMAT,
        "classes": [str(label) for label in classes],
        "vocabulary": tokenizer.get_vocab_size(),
        "sizes": {part: len(texts) for part, (texts, _) in parts.items()},
        "notes": notes,
    }
    (folder / "corpus.json").write_text(json.dumps(about, indent=1))
