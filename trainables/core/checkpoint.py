"""One checkpoint is one safetensors file: tensors, and JSON in its header; never a pickle.

It is written beside its place, flushed to the disk, and renamed: under its name there is always a
whole file or none. The SHA-256 of its bytes is the caller's to keep (the journal does).
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from trainables.errors import CheckpointError
from trainables.storage import replace_file

_HEADER_KEY = "seqtune"


def write_checkpoint(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> str:
    """Write atomically and durably; return the SHA-256 of the file's bytes, in hex.

    Raises:
        OSError: the disk is full or the folder cannot be written; nothing is left under ``path``.
    """
    contiguous = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    content = save_tensors(contiguous, metadata={_HEADER_KEY: json.dumps(state)})
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content)
    return hashlib.sha256(content).hexdigest()


def read_checkpoint(
    path: Path, digest: str | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and state back.

    Raises:
        CheckpointError: the file is missing, differs from ``digest``, or is no checkpoint.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {error.strerror}") from error
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise CheckpointError(f"checkpoint {path} is damaged: its digest differs")
    try:
        tensors = load_tensors(content)
        header_length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + header_length])
        return tensors, json.loads(header["__metadata__"][_HEADER_KEY])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not a seqtune checkpoint: {error}") from error
