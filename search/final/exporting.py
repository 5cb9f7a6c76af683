"""``seqtune export``: a trial's model, or a finalised one, in the format that is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from search.final.evaluating import note_test_part, parse_names
from search.final.handover import hand_over
from search.final.models import find_model
from search.journal.folder import open_study_dir
from search.journal.load import load_state
from trainables.data.part import stand_in
from trainables.data.spec import DataSpec
from trainables.serving.folder import read_config
from trainables.storage import Cache, default_cache

if TYPE_CHECKING:
    from trainables.serving.labelled import Labelled


@dataclass(frozen=True)
class Request:
    """What is to be written where.

    Attributes:
        trial: of a study; None for a model that has a folder.
        data: labelled texts, for weights of eight bits; None without these.
        pairs: ``LABEL=CLASS``, the class that a label in the data means.
    """

    model: str
    trial: int | None
    form: str
    data: DataSpec | None
    pairs: tuple[str, ...]
    output: Path | None


def export_to(request: Request, results: Path) -> Iterator[str]:
    """Write an export; yield what is to be said: where it is, and what eight bits cost.

    Raises:
        SeqtuneError: the model, the study or the data is wrong; nothing is written.
    """
    parse_names(request.pairs)  # one that is malformed is told before anything is written
    cache, folder = default_cache(), None
    if request.trial is None:
        folder = find_model(request.model, results)
    else:
        study = open_study_dir(results, request.model)
        own = results / request.model / "models" / f"trial-{request.trial:04d}"
        plain = request.form == "safetensors"
        folder = (request.output or own).expanduser() if plain else own
        hand_over(study, load_state(study), request.trial, folder, cache)
        if plain:
            yield str(folder)
            return
    from trainables.serving.exports.export import export_model

    labelled = _labelled(folder, request, cache)
    place = folder if folder.name not in ("", "..") else folder.resolve()  # "." has no name
    out = request.output or place.with_name(f"{place.name}-{request.form}")
    export_model(folder, request.form, out.expanduser(), int8=labelled is not None)
    yield str(out)
    if labelled is not None:
        yield from _cost_of_int8(folder, out.expanduser(), labelled, cache)


def _labelled(model: Path, request: Request, cache: Cache) -> "Labelled | None":
    """Read the labelled texts, if there are any: what is wrong with them is told at once."""
    if request.data is None:
        return None
    from trainables.serving.labelled import read_labelled

    config = read_config(model)
    names = parse_names(request.pairs, config.classes)
    return read_labelled(request.data, None, names, config, cache.datasets)


def _cost_of_int8(model: Path, out: Path, labelled: "Labelled", cache: Cache) -> Iterator[str]:
    """Yield how good both graphs are over labelled texts that the model has not seen, in their own
    runtime."""
    import numpy as np

    from trainables.serving.encoding import TextEncoder
    from trainables.serving.exports.export import INT8, ONNX
    from trainables.serving.exports.onnx_scores import run_graph
    from trainables.serving.folder import TOKENIZER, TRAINED, read_vouched

    config = read_config(model)
    tokenizer = read_vouched(model, config)[TOKENIZER]
    encoder = TextEncoder(tokenizer, config.max_tokens, config.keep)
    whole = encoder.encode_whole(labelled.texts)
    seen_N = stand_in((model / TRAINED).read_bytes(), whole)
    rows = np.flatnonzero(~seen_N)
    if not len(rows):
        yield (
            f"note: it was trained on all {len(whole):,} texts, or chosen by them: they do not "
            "tell what eight bits cost"
        )
        return
    if seen_N.any():
        yield f"note: {int(seen_N.sum()):,} texts that it was trained on or chosen by are left out"
    for note in note_test_part(model, [whole[row] for row in rows], cache):
        yield f"note: {note}"
    ids, targets_N = [encoder.cut(whole[row]) for row in rows], labelled.targets_N[rows]
    for name in (ONNX, INT8):
        said = run_graph(out / name, ids)
        size = (out / name).stat().st_size / 1e6
        if config.classes:
            figure = f"accuracy {float((said.argmax(axis=1) == targets_N).mean()):.4f}"
        else:
            figure = f"mean absolute error {float(abs(said - targets_N).mean()):.4g}"
        yield f"{name}: {figure} over {len(ids):,} texts, {size:.3g} MB"
