"""Exports, each run by its own runtime in a process that cannot import this project."""

import json
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save

from trainables.errors import DataError
from trainables.serving import load_model
from trainables.serving.exports.export import export_model
from trainables.serving.folder import ModelFiles, ModelSpec, write_model
from trainables.serving.model import build_network, probabilities
from trainables.tasks.registry import find_task

POOLINGS = ("last", "mean", "max", "attention", "concat")
CLASSES = ("a", "b", "c")

#: Lengths of ragged texts; an empty one counts as one padding token, a long one is cut to 20.
LENGTHS = (1, 20, 7, 0, 13)


def write(folder: Path, task: str = "text-classification", **hyperparameters) -> Path:
    """A model with weights drawn at random."""
    kind = find_task(task).declaration.hyperparameters
    chosen = {"embedding_dim": 6, "hidden_size": 5, **hyperparameters}
    h = kind.model_validate(chosen).model_dump()
    spec = ModelSpec(
        task=task,
        hyperparameters=h,
        max_tokens=20,
        keep="end",
        vocabulary=30,
        classes=tuple(CLASSES) if task == "text-classification" else (),
    )
    torch.manual_seed(0)
    network = build_network(spec)
    if not spec.classes:
        network.mean.fill_(50.0)
        network.deviation.fill_(10.0)
    words = {"[PAD]": 0, "[UNK]": 1, **{f"w{i}": i for i in range(2, 30)}}
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}] * 3},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"},
    }
    files = ModelFiles(
        spec=spec,
        weights=save(dict(network.state_dict())),
        tokenizer=json.dumps(tokenizer).encode(),
        trained=b"",
        metrics={},
        card="",
    )
    write_model(folder, files)
    return folder


def batch(folder: Path):
    """Ragged ids, padded, their lengths, and what the model says of them."""
    rng, model = np.random.default_rng(0), load_model(folder)
    texts = [" ".join(f"w{i}" for i in rng.integers(2, 30, n)) for n in LENGTHS]
    texts.append(" ".join(["w3"] * 5 + ["w4"] * 20))  # over-long
    ids = model.encoder.encode(texts)
    lengths = np.array([max(1, len(one)) for one in ids])
    padded = np.zeros((len(ids), int(lengths.max())), dtype=np.int64)
    for line, one in zip(padded, ids, strict=True):
        line[: len(one)] = one
    outputs = model.outputs(texts)
    expected = probabilities(outputs) if model.config.classes else model.values(outputs)
    return padded, lengths, expected


#: Runs programs over the batch beside them; this project must not be found there.
RUNNER = """
import sys
sys.path = [p for p in sys.path if p not in ("", {root!r})]
sys.meta_path = [f for f in sys.meta_path if "seqtune" not in getattr(f, "__module__", "")]
import numpy as np
for name in ("trainables", "search"):
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit(f"{{name}} can be imported")
for place in sys.argv[1:]:
    given = np.load(place + "/batch.npz")
    ids, lengths = given["ids"], given["lengths"]
    {run}
    np.save(place + "/said.npy", said)
"""
WITH_ONNX = """
    import onnxruntime
    session = onnxruntime.InferenceSession(place + "/model.onnx")
    (said,) = session.run(None, {"ids": ids, "lengths": lengths})
"""
WITH_TORCH = """
    import torch
    program = torch.export.load(place + "/model.pt2").module()
    said = program(torch.from_numpy(ids), torch.from_numpy(lengths)).detach().numpy()
"""


def run_elsewhere(code: str, folders: list[Path], tmp_path: Path) -> list[np.ndarray]:
    root = str(Path(__file__).parents[3])
    script = tmp_path / "runner.py"
    script.write_text(RUNNER.format(root=root, run=code.strip()))
    done = subprocess.run(
        [sys.executable, "-P", str(script), *map(str, folders)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [np.load(folder / "said.npy") for folder in folders]


def exported(tmp_path: Path, form: str, models: list[dict]) -> tuple[list[Path], list[np.ndarray]]:
    folders, expected = [], []
    for number, hyperparameters in enumerate(models):
        model = write(tmp_path / f"model-{number}", **hyperparameters)
        out = tmp_path / f"out-{number}"
        export_model(model, form, out, int8=False)
        ids, lengths, said = batch(model)
        np.savez(out / "batch.npz", ids=ids, lengths=lengths)
        folders.append(out)
        expected.append(said)
    return folders, expected


EVERY: list[dict[str, Any]] = [
    {"cell": cell, "bidirectional": both, "pooling": pooling}
    for cell, both, pooling in product(("rnn", "gru", "lstm"), (False, True), POOLINGS)
]
MORE: list[dict[str, Any]] = [
    {"num_layers": 2, "layer_norm": True, "head_hidden": 4, "bidirectional": True},
    {"task": "text-regression", "cell": "gru", "pooling": "mean"},
]


@pytest.mark.lengthy
def test_onnxruntime_says_the_same_of_every_network(tmp_path):
    folders, expected = exported(tmp_path, "onnx", EVERY + MORE)
    for said, wanted in zip(run_elsewhere(WITH_ONNX, folders, tmp_path), expected, strict=True):
        assert said == pytest.approx(wanted, abs=1e-4)


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_torch_says_the_same_of_every_network(tmp_path):
    folders, expected = exported(tmp_path, "torch-export", EVERY + MORE)
    for said, wanted in zip(run_elsewhere(WITH_TORCH, folders, tmp_path), expected, strict=True):
        assert said == pytest.approx(wanted, abs=1e-4)


@pytest.mark.lengthy
def test_torch_says_the_same(tmp_path):
    folders, expected = exported(tmp_path, "torch-export", [*EVERY[::12], *MORE])
    for said, wanted in zip(run_elsewhere(WITH_TORCH, folders, tmp_path), expected, strict=True):
        assert said == pytest.approx(wanted, abs=1e-4)


def test_what_lies_beside_a_program(tmp_path):
    model = write(tmp_path / "model")
    export_model(model, "onnx", tmp_path / "out", int8=True)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"model.onnx", "model.int8.onnx", "tokenizer.json", "interface.json"}
    said = json.loads((tmp_path / "out" / "interface.json").read_text())
    assert said["classes"] == list(CLASSES) and said["max_tokens"] == 20
    export_model(model, "safetensors", tmp_path / "copy", int8=False)
    copy, original = load_model(tmp_path / "copy"), load_model(model)
    assert (copy.outputs(["w3"]) == original.outputs(["w3"])).all()


def test_what_is_in_the_way_is_left_alone(tmp_path):
    model = write(tmp_path / "model")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter").write_text("dear")
    with pytest.raises(DataError, match="not ours"):
        export_model(model, "onnx", tmp_path / "out", int8=False)
    assert (tmp_path / "out" / "letter").read_text() == "dear"
    (tmp_path / "out" / "letter").unlink()
    for _ in range(2):  # an export replaces one
        export_model(model, "onnx", tmp_path / "out", int8=False)


def test_an_altered_model_is_not_passed_on(tmp_path):
    model = write(tmp_path / "model")
    (model / "model.safetensors").write_bytes(b"x")
    for form in ("onnx", "safetensors", "torch-export"):
        with pytest.raises(DataError, match="was altered"):
            export_model(model, form, tmp_path / "out", int8=False)
    assert not (tmp_path / "out").exists()
