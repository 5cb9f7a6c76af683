"""``seqtune predict``: texts through a model, by the chunk."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.monitor.say import say
from trainables.data.reading.rows import Dialect
from trainables.data.text.tokens import MAX_CHARACTERS, UNKNOWN
from trainables.errors import DataError
from trainables.serving.streams import read_stream

#: A text is explained by so many forward passes as it has tokens, so few are read at a time.
_EXPLAINED = 16


@dataclass(frozen=True)
class Request:
    """What is asked of a model: texts, or a file of them, and how that is written."""

    model: Path
    texts: Sequence[str]
    source: str | None
    column: str | None
    dialect: Dialect
    explain: bool
    threads: int | None


def predictions(request: Request) -> Iterator[list[dict[str, Any]]]:
    """Yield rows of text, label and probabilities, or of text and value, by the chunk.

    Raises:
        DataError: the model or the file is wrong, or a text is too long.
    """
    texts = iter(request.texts) if request.source is None else _shown(request)
    checked = _checked(texts)
    first = next(checked, None)  # a file that is wrong is told before torch is imported
    if first is None:
        raise DataError(f"{request.source!r} has no texts")
    import numpy as np

    from trainables.serving.explain import weigh_tokens
    from trainables.serving.model import CHUNK, chunks, load_model

    model = load_model(request.model, request.threads)
    size = _EXPLAINED if request.explain else CHUNK
    read = silent = 0
    for some in chunks(_after(first, checked), size):
        ids = model.encoder.encode(some)
        read, silent = read + len(ids), silent + sum(not np.any(one > UNKNOWN) for one in ids)
        said = model.in_words(model.outputs_of(ids))
        rows = [_row(text, one) for text, one in zip(some, said, strict=True)]
        if request.explain:
            for row, weights in zip(rows, weigh_tokens(model, some), strict=True):
                row["tokens"] = [
                    {"token": _written(one.token), "gain": round(one.gain, 6)} for one in weights
                ]
        yield rows
    if silent:
        say(f"note: {silent:,} of {read:,} texts are empty or have no word that the model knows")


def _after(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _checked(texts: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(texts, start=1):
        if len(text) > MAX_CHARACTERS:
            raise DataError(
                f"text {number} has {len(text):,} characters: {MAX_CHARACTERS:,} are read at most; "
                "cut it, or divide it"
            )
        yield text


def _shown(request: Request) -> Iterator[str]:
    """Return a file's texts, with a bar on a terminal that says how many were read."""
    assert request.source is not None
    stream = read_stream(request.source, request.column, request.dialect)
    if not sys.stderr.isatty():
        return stream
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

    def counted() -> Iterator[str]:
        bar = Progress(
            SpinnerColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=Console(stderr=True)
        )
        with bar:
            task = bar.add_task("texts", total=None)
            for text in stream:
                bar.advance(task)
                yield text

    return counted()


def _row(text: str, said: Any) -> dict[str, Any]:
    if said.label is None:
        return {"text": _written(text), "value": said.value}
    return {"text": _written(text), "label": said.label, "probabilities": said.probabilities}


def _written(text: str) -> str:
    """Return a text that can be written: JSON may bring half a character."""
    return text.encode("utf-8", "replace").decode("utf-8")
