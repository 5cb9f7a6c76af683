"""The network of a model as an ONNX graph, made by hand: its recurrences are ONNX's own operators.

They take the lengths of the texts, so nothing is unrolled, and a runtime has fast code for them.

Legend: B texts, T tokens, E features in, H units, D features out, C outputs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from trainables.serving.folder import ModelConfig

#: Operators as of this set, which onnxruntime reads since 1.14.
_OPSET, _IR = 18, 9

#: The operator of a cell, and where torch's gates stand among ONNX's.
_OPERATORS = {"lstm": ("LSTM", (0, 3, 1, 2)), "gru": ("GRU", (1, 0, 2)), "rnn": ("RNN", (0,))}

Weights = dict[str, NDArray[np.float32]]


def build_onnx(config: ModelConfig, weights: Weights) -> onnx.ModelProto:
    """Return the graph: from ``ids`` and ``lengths`` to ``probabilities``, or to ``value``."""
    return _Graph(config, weights).build()


class _Graph:
    """A graph under construction."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self._config, self._weights = config, weights
        self._h: dict[str, Any] = config.hyperparameters
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def build(self) -> onnx.ModelProto:
        self._node("Cast", ["lengths"], "lengths_int", to=TensorProto.INT32)
        self._node("Gather", [self._weight("embedding.weight"), "ids"], "x_BTE")
        self._node("Transpose", ["x_BTE"], "y0_TBD", perm=[1, 0, 2])
        for depth in range(self._h["num_layers"]):
            self._layer(depth)
        last = f"y{self._h['num_layers']}_TBD"
        self._node("Transpose", [last], "y_BTD", perm=[1, 0, 2])
        self._mask()
        outputs = self._head(self._pooled())
        made = self._answer(outputs)
        graph = helper.make_graph(
            self._nodes,
            "seqtune",
            [
                helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "tokens"]),
                helper.make_tensor_value_info("lengths", TensorProto.INT64, ["texts"]),
            ],
            [made],
            [numpy_helper.from_array(value, name) for name, value in self._constants.items()],
        )
        opsets = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, name: str, value: Any) -> str:
        self._constants.setdefault(name, np.asarray(value))
        return name

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def _layer(self, depth: int) -> None:
        """Add one layer in one direction or both, from y_TBD to y_TBD."""
        kind, order = _OPERATORS[self._h["cell"]]
        size, both = self._h["hidden_size"], self._h["bidirectional"]
        ends = ["forwards", "backwards"] if both else ["forwards"]
        prefix = f"encoder.layers.{depth}"

        def stacked(name: str) -> list[NDArray[np.float32]]:
            found = [self._weights[f"{prefix}.{end}.{name}_l0"] for end in ends]
            return [np.concatenate([np.split(w, len(order))[g] for g in order]) for w in found]

        into, recurrent = stacked("weight_ih"), stacked("weight_hh")
        pairs = zip(stacked("bias_ih"), stacked("bias_hh"), strict=True)
        biases = [np.concatenate(pair) for pair in pairs]
        parts = {"W": into, "R": recurrent, "B": biases}
        names = [self._constant(f"{prefix}.{p}", np.stack(w)) for p, w in parts.items()]
        more = {"linear_before_reset": 1} if kind == "GRU" else {}
        inputs = [f"y{depth}_TBD", *names, "lengths_int"]
        direction = "bidirectional" if both else "forward"
        self._node(kind, inputs, f"{prefix}.y", hidden_size=size, direction=direction, **more)
        self._node("Transpose", [f"{prefix}.y"], f"{prefix}.sides", perm=[0, 2, 1, 3])
        shape = self._constant(f"{prefix}.shape", np.array([0, 0, len(ends) * size]))
        out = f"y{depth + 1}_TBD"
        if not self._h["layer_norm"]:
            self._node("Reshape", [f"{prefix}.sides", shape], out)
            return
        self._node("Reshape", [f"{prefix}.sides", shape], f"{prefix}.raw")
        scale, bias = (self._weight(f"{prefix}.norm.{name}") for name in ("weight", "bias"))
        self._node("LayerNormalization", [f"{prefix}.raw", scale, bias], out, axis=-1, epsilon=1e-5)

    def _mask(self) -> None:
        """Add mask_BT1, true where a position holds a token, and lengths_B1."""
        zero, one = self._constant("zero", np.int64(0)), self._constant("one", np.int64(1))
        self._node("Shape", ["ids"], "shape")
        self._node("Gather", ["shape", one], "T")
        self._node("Range", [zero, "T", one], "positions_T")
        axis = self._constant("axis_1", np.array([1]))
        self._node("Unsqueeze", ["lengths", axis], "lengths_B1")
        self._node("Less", ["positions_T", "lengths_B1"], "mask_BT")
        self._node("Unsqueeze", ["mask_BT", self._constant("axis_2", np.array([2]))], "mask_BT1")
        self._node("Cast", ["lengths_B1"], "count_B1", to=TensorProto.FLOAT)

    def _pooled(self) -> str:
        kind = self._h["pooling"]
        if kind == "attention":
            return self._attended()
        kinds = ("last", "mean", "max") if kind == "concat" else (kind,)
        pools = {"last": self._last, "mean": self._mean, "max": self._most}
        made = [pools[one]() for one in kinds]
        return made[0] if len(made) == 1 else self._node("Concat", made, "pooled_BP", axis=1)

    def _last(self) -> str:
        one, axis = self._constant("one", np.int64(1)), self._constant("axis_1", np.array([1]))
        self._node("Sub", ["lengths_B1", one], "last_B1")
        self._node("GatherND", ["y_BTD", "last_B1"], "last_BD", batch_dims=1)
        if not self._h["bidirectional"]:
            return "last_BD"
        size = self._h["hidden_size"]
        begin, middle = (
            self._constant("begin", np.array([0])),
            self._constant("H", np.array([size])),
        )
        end = self._constant("2H", np.array([2 * size]))
        self._node("Slice", ["last_BD", begin, middle, axis], "last_BH")
        self._node("Gather", ["y_BTD", self._constant("zero", np.int64(0))], "first_BD", axis=1)
        self._node("Slice", ["first_BD", middle, end, axis], "first_BH")
        return self._node("Concat", ["last_BH", "first_BH"], "both_BD", axis=1)

    def _mean(self) -> str:
        nothing = self._constant("nothing", np.float32(0))
        self._node("Where", ["mask_BT1", "y_BTD", nothing], "kept_BTD")
        axis = self._constant("axis_1", np.array([1]))
        self._node("ReduceSum", ["kept_BTD", axis], "sum_BD", keepdims=0)
        return self._node("Div", ["sum_BD", "count_B1"], "mean_BD")

    def _most(self) -> str:
        least = self._constant("least", np.float32(-np.inf))
        self._node("Where", ["mask_BT1", "y_BTD", least], "real_BTD")
        axis = self._constant("axis_1", np.array([1]))
        return self._node("ReduceMax", ["real_BTD", axis], "most_BD", keepdims=0)

    def _attended(self) -> str:
        least = self._constant("least", np.float32(-np.inf))
        matrix = self._weights["encoder.pooling.score.weight"].T
        score = self._constant("score.weight", np.ascontiguousarray(matrix))
        self._node("MatMul", ["y_BTD", score], "raw_BT1")
        self._node("Add", ["raw_BT1", self._weight("encoder.pooling.score.bias")], "score_BT1")
        self._node("Where", ["mask_BT1", "score_BT1", least], "masked_BT1")
        self._node("Softmax", ["masked_BT1"], "share_BT1", axis=1)
        self._node("Mul", ["share_BT1", "y_BTD"], "weighed_BTD")
        axis = self._constant("axis_1", np.array([1]))
        return self._node("ReduceSum", ["weighed_BTD", axis], "attended_BD", keepdims=0)

    def _head(self, pooled: str) -> str:
        if not self._h["head_hidden"]:
            return self._linear(pooled, "head", "outputs_BC")
        self._linear(pooled, "head.0", "hidden")
        self._node("Relu", ["hidden"], "positive")
        return self._linear("positive", "head.3", "outputs_BC")

    def _linear(self, x: str, name: str, out: str) -> str:
        inputs = [x, self._weight(f"{name}.weight"), self._weight(f"{name}.bias")]
        return self._node("Gemm", inputs, out, transB=1)

    def _answer(self, outputs: str) -> Any:
        """Add the last step, and return what it gives."""
        if self._config.classes:
            self._node("Softmax", [outputs], "probabilities", axis=1)
            shape: list[str | int | None] = ["texts", len(self._config.classes)]
            return helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape)
        self._node("Cast", [outputs], "wide", to=TensorProto.DOUBLE)
        deviation = self._constant("deviation", self._weights["deviation"].astype(np.float64))
        mean = self._constant("mean", self._weights["mean"].astype(np.float64))
        self._node("Mul", ["wide", deviation], "scaled")
        self._node("Add", ["scaled", mean], "value_B1")
        axis = self._constant("axis_1", np.array([1]))
        self._node("Squeeze", ["value_B1", axis], "value")
        return helper.make_tensor_value_info("value", TensorProto.DOUBLE, ["texts"])
