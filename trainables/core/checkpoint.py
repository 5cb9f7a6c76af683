"""Checkpoints: each is one safetensors file of tensors, with JSON in its header; never a pickle.

A checkpoint is written to a file beside its path, flushed to the disk, then renamed. So its path
holds a whole file or none. The caller keeps the SHA-256 of the file's bytes (the journal does), so
that a flipped weight is noticed.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from trainables.errors import CheckpointError
from trainables.storage import replace_file

_HEADER_KEY = "seqtune"


@dataclass(frozen=True)
class Snapshot:
    """The content of a checkpoint, which any thread may write.

    Attributes:
        tensors: the tensors by name, in the host's memory.
        state: the rest, as plain JSON.
        copied: what tells that a GPU's tensors have arrived; None where there were none.
    """

    tensors: dict[str, Tensor]
    state: dict[str, Any]
    copied: torch.cuda.Event | None = None

    @classmethod
    def of(cls, tensors: dict[str, Tensor], state: dict[str, Any]) -> "Snapshot":
        """Take a snapshot; tensors of a GPU are copied to the host without waiting for them."""
        plain = {name: tensor.detach() for name, tensor in tensors.items()}
        if not any(tensor.is_cuda for tensor in plain.values()):
            return cls(plain, state)
        host = {name: _copied(tensor) for name, tensor in plain.items()}
        copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
        copied.record()
        return cls(host, state, copied)

    def write(self, path: Path) -> str:
        """Write the checkpoint atomically and durably; return the SHA-256 of its bytes, in hex.

        Raises:
            OSError: the disk is full or the folder cannot be written; ``path`` is unchanged.
        """
        if self.copied is not None:
            self.copied.synchronize()
        return write_checkpoint(path, self.tensors, self.state)


def _copied(tensor: Tensor) -> Tensor:
    if not tensor.is_cuda:  # such as a count of steps, which goes on
        return tensor.clone()
    # Only to pinned memory does the copy run in the background; a later step waits its turn.
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return host.copy_(tensor, non_blocking=True)


def write_checkpoint(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> str:
    """Write a checkpoint atomically and durably; return the SHA-256 of its bytes, in hex.

    Raises:
        OSError: the disk is full or the folder cannot be written; nothing is left under ``path``.
    """
    # safetensors takes contiguous tensors only.
    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    content = save_tensors(contiguous, metadata={_HEADER_KEY: json.dumps(state)})
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content)
    return hashlib.sha256(content).hexdigest()


def read_checkpoint(
    path: Path, digest: str | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the state of a checkpoint.

    Raises:
        CheckpointError: the file is missing, does not match ``digest``, or is no checkpoint.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {error.strerror}") from error
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise CheckpointError(f"checkpoint {path} is damaged: its digest differs")
    try:
        tensors = load_tensors(content)
        # ``load_tensors`` drops the metadata. A file starts with the length of its JSON header.
        header_length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + header_length])
        return tensors, json.loads(header["__metadata__"][_HEADER_KEY])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not a seqtune checkpoint: {error}") from error
