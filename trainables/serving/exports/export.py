"""A model in the formats of other runtimes, which run it without this project.

Beside the program lie the tokenizer, and what must be known to feed it.
"""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from trainables.errors import DataError
from trainables.serving.folder import FILES, TOKENIZER, WEIGHTS, read_config, read_vouched
from trainables.serving.replacing import replaced_folder
from trainables.storage import replace_file

#: What must be known to feed a program, in a file of this name.
INTERFACE = "interface.json"

ONNX, INT8, PROGRAM = "model.onnx", "model.int8.onnx", "model.pt2"

_FILES = frozenset({INTERFACE, ONNX, INT8, PROGRAM, TOKENIZER})


def export_model(model: Path, form: str, out: Path, int8: bool) -> None:
    """Write a model's folder in another format.

    Args:
        model: its folder.
        form: one of ``FORMATS``.
        out: the folder to write; an export that is there is replaced.
        int8: write weights of eight bits too, where the format has them (``onnx``).

    Raises:
        DataError: the model is wrong, ``out`` is something else, or a library is missing.
    """
    config = read_config(model)
    if config.features and form != "safetensors":
        raise DataError(
            f"the model reads the outputs of {config.features}, which is no part of it: only "
            "--to safetensors has it"
        )
    here, there = model.resolve(), out.resolve()
    if here == there or there in here.parents:
        raise DataError(f"{out} holds the model itself: name another folder with --output")
    with replaced_folder(out, FILES if form == "safetensors" else _FILES) as building:
        FORMATS[form](model, building, int8)
        if form != "safetensors":
            replace_file(building / TOKENIZER, read_vouched(model, config)[TOKENIZER])
            replace_file(building / INTERFACE, _interface(model))


def _interface(model: Path) -> bytes:
    config = read_config(model)
    classifies = bool(config.classes)
    said = {
        "files": {
            ONNX: "ONNX, 32 bits a weight",
            INT8: "ONNX, 8 bits a weight, where it was asked for; what stands with a text in its "
            "batch decides how it is rounded",
            PROGRAM: "torch.export, for torch.export.load",
        },
        "inputs": {
            "ids": "int64 [texts, tokens]: ids by tokenizer.json, padded with 0 at the end",
            "lengths": "int64 [texts]: tokens of each text, at least 1; an empty text is one 0",
        },
        "output": "probabilities: float32 [texts, classes]"
        if classifies
        else "value: float64 [texts]",
        "classes": config.classes,
        "max_tokens": config.max_tokens,
        "keep": f"of a longer text, its {config.keep}",
    }
    return json.dumps(said, indent=1, ensure_ascii=False).encode() + b"\n"


def _onnx(model: Path, folder: Path, int8: bool) -> None:
    try:
        from trainables.serving.exports.onnx_graph import build_onnx
    except ImportError as error:
        raise DataError(
            f"ONNX needs the extra 'export': pip install 'seqtune[export]' ({error})"
        ) from error
    from safetensors.numpy import load

    config = read_config(model)
    graph = build_onnx(config, load(read_vouched(model, config)[WEIGHTS]))
    replace_file(folder / ONNX, graph.SerializeToString())
    if int8:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        # It advises a step that needs the shapes, which are open here.
        logging.getLogger().addFilter(_no_advice)
        try:
            quantize_dynamic(folder / ONNX, folder / INT8, weight_type=QuantType.QInt8)
        finally:
            logging.getLogger().removeFilter(_no_advice)


def _no_advice(record: logging.LogRecord) -> bool:
    return "pre-processing before quantization" not in record.getMessage()


def _torch_export(model: Path, folder: Path, int8: bool) -> None:
    from trainables.serving.exports.portable import to_torch_export
    from trainables.serving.model import load_model

    to_torch_export(load_model(model), str(folder / PROGRAM))


def _safetensors(model: Path, folder: Path, int8: bool) -> None:
    config = read_config(model)
    read_vouched(model, config)  # what was altered is not passed on
    shutil.copytree(model, folder, dirs_exist_ok=True)


FORMATS: dict[str, Callable[[Path, Path, bool], None]] = {
    "safetensors": _safetensors,
    "onnx": _onnx,
    "torch-export": _torch_export,
}
