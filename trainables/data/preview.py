"""What a person should see of a prepared data set: classes, lengths, and rows as they are read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from trainables.data.corpus import Corpus
from trainables.data.part import Part

_ROWS = 3
_SHOWN_TOKENS = 25
_MOST_CLASSES = 12
_BARS, _BINS = 30, 8


@dataclass(frozen=True)
class Preview:
    """The training part in figures.

    Attributes:
        counts: texts of each class; empty where labels are numbers.
        lengths: tokens of the texts at the 0th, 50th, 95th and 100th percentile.
    """

    counts: dict[str, int]
    lengths: tuple[int, int, int, int]
    lines: tuple[str, ...]


def preview(corpus: Corpus, max_tokens: int, keep: str) -> Preview:
    """Look at the training part of a corpus, as a network with these settings would."""
    part = corpus.part("train")
    counts = _counts(corpus, part)
    quarters = np.percentile(part.lengths, (0, 50, 95, 100)).astype(int).tolist()
    lines = [
        _classes(counts) if counts else _numbers(part),
        f"lengths: {quarters[0]} to {quarters[3]} tokens, half of the texts up to {quarters[1]}, "
        f"95 % up to {quarters[2]}; {(part.lengths > max_tokens).mean():.1%} are cut to "
        f"{max_tokens}",
        *_rows(corpus, part, max_tokens, keep),
    ]
    return Preview(counts, tuple(quarters), tuple(lines))


def histogram(corpus: Corpus) -> list[str]:
    """Return how long the training texts are, a bar for each range of lengths."""
    lengths = corpus.part("train").lengths
    most = max(1, int(np.percentile(lengths, 99)))
    edges = np.unique(np.linspace(min(lengths.min(), most - 1), most, _BINS + 1).astype(int))
    counts, _ = np.histogram(np.minimum(lengths, most), edges)
    width = len(str(edges[-1]))
    return [
        f"{low:>{width}} to {high:>{width}} tokens {'#' * round(_BARS * count / counts.max())} "
        f"{count:,}"
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    ]


def _counts(corpus: Corpus, part: Part) -> dict[str, int]:
    if not corpus.classes:
        return {}
    found = np.bincount(part.labels.astype(np.int64), minlength=len(corpus.classes))
    return dict(zip(corpus.classes, found.tolist(), strict=True))


def _classes(counts: dict[str, int]) -> str:
    shown = sorted(counts.items(), key=lambda item: -item[1])[:_MOST_CLASSES]
    more = f", and {len(counts) - len(shown)} more" if len(counts) > len(shown) else ""
    return "classes: " + ", ".join(f"{name!r} {count:,}" for name, count in shown) + more


def _numbers(part: Part) -> str:
    low, middle, high = np.percentile(part.labels, (0, 50, 100))
    return f"targets: {low:g} to {high:g}, half of them up to {middle:g}"


def _rows(corpus: Corpus, part: Part, max_tokens: int, keep: str) -> list[str]:
    """Return the first rows: their labels, and their tokens as a network reads them."""
    names: Sequence[str | None] = _token_names(corpus)
    lines = []
    for row in range(min(_ROWS, len(part))):
        ids = part.ids[part.offsets[row] : part.offsets[row + 1]]
        ids = ids[-max_tokens:] if keep == "end" else ids[:max_tokens]
        tokens = [str(names[i]) for i in ids[:_SHOWN_TOKENS].tolist()]
        more = " …" if len(ids) > _SHOWN_TOKENS else ""
        label = corpus.classes[int(part.labels[row])] if corpus.classes else f"{part.labels[row]:g}"
        lines.append(f"row {row + 1}: {label!r}: {' '.join(tokens)}{more}")
    return lines


def _token_names(corpus: Corpus) -> list[str | None]:
    tokenizer = Tokenizer.from_file(str(corpus.tokenizer_file))
    return [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
