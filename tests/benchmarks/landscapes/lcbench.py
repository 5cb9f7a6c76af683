"""Learning curves of multilayer perceptrons on 34 tabular data sets, seven hyperparameters.

LCBench (Zimmer et al. 2021) as YAHPO Gym's surrogate has it (Pfisterer et al. 2022): a network that
was fitted to 2,000 recorded trainings of each task. Its curves have no noise, and their first epoch
is an untrained network's.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from landscapes.base import Curve, Landscape, Problem
from search.spec.study import StoppingSpec

_FOLDER = Path(__file__).parent / "lcbench"
_EPOCHS = 52

#: As ``config_space.json`` of YAHPO Gym has them, in the order in which the network reads them.
_SPACE = {
    "batch_size": {"low": 16, "high": 512, "log": True},
    "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "momentum": {"low": 0.1, "high": 0.99},
    "weight_decay": {"low": 1e-5, "high": 1e-1},
    "num_layers": {"low": 1, "high": 5},
    "max_units": {"low": 64, "high": 1024, "log": True},
    "max_dropout": {"low": 0.0, "high": 1.0},
}

#: Tasks to develop on, and tasks to judge on, fixed before the first look.
DEVELOP = (
    *("3945", "7593", "34539", "126026", "167104", "167152", "167168", "167184", "167200"),
    *("168329", "168330", "168335", "168908", "189354", "189865", "189873", "189906"),
)
JUDGE = (
    *("126025", "126029", "146212", "167149", "167161", "167181", "167185", "167190", "167201"),
    *("168331", "168868", "168910", "189862", "189866", "189905", "189908", "189909"),
)


class LcbenchTask(Landscape):
    """One of the data sets, by its number on OpenML."""

    def __init__(self, task: str) -> None:
        stopping = StoppingSpec(max_epochs=_EPOCHS, grace_epochs=2, reduction_factor=3)
        super().__init__(Problem(f"lcbench-{task}", "val/accuracy", "max", _SPACE, stopping))
        codes = json.loads((_FOLDER / "encoding.json").read_text(encoding="utf-8"))
        self._code = codes["OpenML_task_id"][task]

    @cached_property
    def _network(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        return onnxruntime.InferenceSession(_FOLDER / "model.onnx", options, providers=providers)

    def curve(self, params: dict[str, Any], seed: int) -> Curve:
        """Return the curve; it is the same with every seed."""
        rows = np.empty((_EPOCHS, 1 + len(_SPACE)), np.float32)
        rows[:, 0] = np.arange(1, _EPOCHS + 1)
        rows[:, 1:] = [float(params[name]) for name in _SPACE]
        task = np.full((_EPOCHS, 1), self._code, np.int32)
        found = self._network.run(None, {"x_cat": task, "x_cont": rows})[0].astype(np.float64)
        accuracy_E = found[:, 1] / 100.0
        return Curve(accuracy_E, accuracy_E, max(float(found[:, 0].max()) / _EPOCHS, 1e-3))
