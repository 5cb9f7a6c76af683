"""What torch computes within a block, operation by operation."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Operations(TorchDispatchMode):
    """Notes each operation that runs within its block, those of backward passes too.

    Attributes:
        names: of each operation, such as ``index_select``.
        shapes: of each operation's result.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names, self.shapes = list[str](), list[tuple[int, ...]]()

    def __torch_dispatch__(self, operation, types, given=(), named=None) -> Any:
        result = operation(*given, **(named or {}))
        self.names.append(operation.overloadpacket.__name__)
        self.shapes.append(tuple(result.shape) if isinstance(result, torch.Tensor) else ())
        return result

    def those(self, *parts: str) -> list[str]:
        """Return the names that hold one of these parts."""
        return [name for name in self.names if any(part in name for part in parts)]
