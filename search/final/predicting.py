"""``seqtune predict``: texts through a model, by the chunk."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.monitor.say import say
from trainables.data.text.tokens import MAX_CHARACTERS, UNKNOWN
from trainables.errors import DataError
from trainables.serving.streams import Row, Source, read_stream

#: A text is explained by so many forward passes as it has tokens, so few are read at a time.
_EXPLAINED = 16


@dataclass(frozen=True)
class Request:
    """What is asked of a model: texts, or a file of them."""

    model: Path
    texts: Sequence[str]
    source: Source | None
    explain: bool
    threads: int | None


def predictions(request: Request) -> Iterator[list[dict[str, Any]]]:
    """Yield rows of text, label and probabilities, or of text and value, by the chunk.

    Raises:
        DataError: the model or the file is wrong, or a text is too long.
    """
    source = request.source
    rows = (Row(text, {}) for text in request.texts) if source is None else _shown(source)
    checked = _checked(rows)
    first = next(checked, None)  # a file that is wrong is told before torch is imported
    if first is None:
        raise DataError(f"{source.place if source else ''!r} has no texts")
    import numpy as np

    from trainables.serving.explain import weigh_tokens
    from trainables.serving.model import CHUNK, chunks, load_model

    model = load_model(request.model, request.threads)
    size = _EXPLAINED if request.explain else CHUNK
    read = silent = 0
    for some in chunks(_after(first, checked), size):
        ids = model.encoder.encode([row.text for row in some])
        read, silent = read + len(ids), silent + sum(not np.any(one > UNKNOWN) for one in ids)
        said = model.in_words(model.outputs_of(ids))
        found = [_row(row, one) for row, one in zip(some, said, strict=True)]
        if request.explain:
            weighed = weigh_tokens(model, [row.text for row in some])
            for row, weights in zip(found, weighed, strict=True):
                row["tokens"] = [
                    {"token": _written(one.token), "gain": round(one.gain, 6)} for one in weights
                ]
        yield found
    if silent:
        say(f"note: {silent:,} of {read:,} texts are empty or have no word that the model knows")


def _after(first: Row, rest: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rest


def _checked(rows: Iterable[Row]) -> Iterator[Row]:
    for number, row in enumerate(rows, start=1):
        if len(row.text) > MAX_CHARACTERS:
            raise DataError(
                f"text {number} has {len(row.text):,} characters: {MAX_CHARACTERS:,} are read at "
                "most; cut it, or divide it"
            )
        yield row


def _shown(source: Source) -> Iterator[Row]:
    """Return a file's texts, with a bar on a terminal that says how many were read."""
    stream = read_stream(source, lambda note: say(f"note: {note}"))
    if not sys.stderr.isatty():
        return stream
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

    def counted() -> Iterator[Row]:
        bar = Progress(
            SpinnerColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=Console(stderr=True)
        )
        with bar:
            task = bar.add_task("texts", total=None)
            for row in stream:
                bar.advance(task)
                yield row

    return counted()


def _row(row: Row, said: Any) -> dict[str, Any]:
    kept = {name: cell and _written(cell) for name, cell in row.kept.items()}
    beside = {"input": kept} if kept else {}
    text = {"text": _written(row.text)}
    if said.label is None:
        return {**text, "value": said.value, **beside}
    return {**text, "label": said.label, "probabilities": said.probabilities, **beside}


def _written(text: str) -> str:
    """Return a text that can be written: JSON may bring half a character."""
    return text.encode("utf-8", "replace").decode("utf-8")
