"""``seqtune evaluate``: a model's scores over labelled texts that it was not trained on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from search.errors import SpecError
from trainables.data.part import stand_in
from trainables.data.spec import DataSpec
from trainables.errors import DataError
from trainables.serving.folder import TRAINED, read_config
from trainables.serving.labelled import read_labelled
from trainables.storage import Cache


@dataclass(frozen=True)
class Request:
    """What a model is to be scored by.

    Attributes:
        part: of the data; None for the test part where there is one.
        names: the class that each label in the data means.
        seen: score texts of the training part too.
    """

    model: Path
    data: DataSpec
    part: str | None
    names: Mapping[str, str]
    seen: bool
    threads: int | None


def evaluate_model(request: Request, cache: Cache) -> dict[str, Any]:
    """Return a model's scores as a JSON object.

    Raises:
        DataError: the model or the data is wrong.
    """
    config = read_config(request.model)
    labelled = read_labelled(request.data, request.part, request.names, config, cache.datasets)
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
    outputs_NC = model.outputs_of([model.encoder.cut(ids[row]) for row in kept])
    scores = score(model, outputs_NC, labelled.targets_N[kept])
    return {
        "model": str(request.model),
        "data": request.data.source,
        "part": labelled.part,
        "in_training": int(seen_N.sum()),
        "left_out": 0 if request.seen else int(seen_N.sum()),
        "notes": labelled.notes,
        **asdict(scores),
    }


def parse_names(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return ``label=class`` pairs as a mapping.

    Raises:
        SpecError: one is not written so.
    """
    found = {}
    for pair in pairs:
        label, equals, name = pair.rpartition("=")
        if not equals or not label or not name:
            raise SpecError(f"--labels {pair!r}: write LABEL=CLASS, as in 1=positive")
        found[label] = name
    return found
