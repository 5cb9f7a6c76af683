"""``seqtune evaluate``: a model's scores over labelled texts that it was not trained on."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.errors import SpecError
from trainables.data.corpus import open_corpus
from trainables.data.part import stand_in
from trainables.data.spec import DataSpec
from trainables.errors import DataError
from trainables.serving.folder import METRICS, TRAINED, read_config
from trainables.serving.labelled import read_labelled
from trainables.storage import Cache


@dataclass(frozen=True)
class Request:
    """What a model is to be scored by.

    Attributes:
        part: of the data; None for the test part where there is one.
        pairs: ``LABEL=CLASS``, the class that a label in the data means.
        seen: score texts of the training part too.
    """

    model: Path
    data: DataSpec
    part: str | None
    pairs: tuple[str, ...]
    seen: bool
    threads: int | None


def evaluate_model(request: Request, cache: Cache) -> dict[str, Any]:
    """Return a model's scores as a JSON object.

    Raises:
        DataError: the model or the data is wrong.
    """
    config = read_config(request.model)
    names = parse_names(request.pairs, config.classes)
    labelled = read_labelled(request.data, request.part, names, config, cache.datasets)
    from trainables.serving.model import load_model
    from trainables.serving.scores import score

    model = load_model(request.model, request.threads)
    ids = model.encoder.encode_whole(labelled.texts)
    seen_N = stand_in((request.model / TRAINED).read_bytes(), ids)
    kept = np.arange(len(ids)) if request.seen else np.flatnonzero(~seen_N)
    if not len(kept):
        raise DataError(
            f"it was trained on all {len(ids)} texts, or chosen by them: --include-training scores "
            "them all the same"
        )
    chosen = [ids[row] for row in kept]
    outputs_NC = model.outputs_of([model.encoder.cut(ids_N) for ids_N in chosen])
    scores = score(model, outputs_NC, labelled.targets_N[kept])
    return {
        "model": str(request.model),
        "data": request.data.source,
        "part": labelled.part,
        "in_training": int(seen_N.sum()),
        "left_out": 0 if request.seen else int(seen_N.sum()),
        "notes": [*labelled.notes, *note_test_part(request.model, chosen, cache)],
        **asdict(scores),
    }


def note_test_part(model: Path, ids: Sequence[NDArray[np.int32]], cache: Cache) -> list[str]:
    """Return a note of how many texts are of the test part of the model's own study, if any are:
    nobody is kept from scoring them, but nobody should without knowing it."""
    count = int(stand_in(_test_prints(model, cache), ids).sum())
    if not count:
        return []
    return [
        f"{count:,} of the {len(ids):,} texts are the study's test part, which finalize opens "
        "once: whoever chooses by these figures has opened it already, and no record says so"
    ]


def _test_prints(model: Path, cache: Cache) -> bytes:
    """Return the digests of the study's test texts, where its corpus is in the cache."""
    try:
        about = json.loads((model / METRICS).read_bytes())
        folder = cache.corpus(about["provenance"]["data"]["digest"])
        if not (folder / "corpus.json").is_file():
            return b""
    except (OSError, ValueError, KeyError, TypeError):  # a model may come without where it is from
        return b""
    return open_corpus(folder).test_prints()


def parse_names(pairs: tuple[str, ...], classes: Collection[str] = ()) -> dict[str, str]:
    """Return ``label=class`` pairs as a mapping. Of several ``=`` the last one counts behind which
    a class of the model stands; the very last, if there is none.

    Raises:
        SpecError: one is not written so.
    """
    found = {}
    for pair in pairs:
        cuts = [(pair[:at], pair[at + 1 :]) for at, letter in enumerate(pair) if letter == "="]
        whole = [(label, name) for label, name in cuts if label and name]
        if not whole:
            raise SpecError(f"--labels {pair!r}: write LABEL=CLASS, as in 1=positive")
        known = [(label, name) for label, name in whole if name in classes]
        label, name = (known or whole)[-1]
        found[label] = name
    return found
