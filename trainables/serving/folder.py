"""The folder of a model: what it is made of, written once, and verified when it is read.

Nothing in it is executed. It needs no corpus, no study and no Ray, and to look at it no torch.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trainables.errors import DataError
from trainables.storage import new_folder, replace_file

#: Raised when a folder is read or made differently.
FORMAT = 1

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
METRICS, CARD, TRAINED = "metrics.json", "README.md", "training.digests"

#: Files whose bytes the configuration vouches for.
_VOUCHED = (WEIGHTS, TOKENIZER, TRAINED)


class ModelConfig(BaseModel):
    """What a model is.

    Attributes:
        task: ``text-classification`` or ``text-regression``.
        hyperparameters: all of the task's, as the model was built.
        max_tokens, keep: how a text is cut, as in the study's ``[data]``.
        vocabulary: distinct token ids.
        classes: names, in the order of the outputs; empty for a regression.
        files: the SHA-256 of the other files that a prediction depends on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    task: Literal["text-classification", "text-regression"]
    hyperparameters: dict[str, Any]
    max_tokens: int = Field(ge=1)
    keep: Literal["start", "end"]
    vocabulary: int = Field(ge=2)
    classes: tuple[str, ...]
    files: dict[str, str]


@dataclass(frozen=True)
class ModelFiles:
    """The content of a model's folder, less the configuration's digests.

    Attributes:
        config: fields of ``ModelConfig`` but ``files``.
        trained: the digests of the texts that it was trained on (``part.fingerprints``).
        metrics: what it scored, and where it comes from; plain JSON.
        card: the model card, as Markdown.
    """

    config: Mapping[str, Any]
    weights: bytes
    tokenizer: bytes
    trained: bytes
    metrics: Mapping[str, Any]
    card: str


def write_model(folder: Path, files: ModelFiles) -> None:
    """Write a model's folder as a whole; one that is there is replaced.

    Raises:
        DataError: something else is in its place, or it cannot be written.
    """
    if folder.exists() and not (folder / CONFIG).is_file() and any(folder.iterdir()):
        raise DataError(f"{folder} is there and is no model: name another with --output")
    digests = {WEIGHTS: files.weights, TOKENIZER: files.tokenizer, TRAINED: files.trained}
    vouched = {name: hashlib.sha256(content).hexdigest() for name, content in digests.items()}
    config = ModelConfig.model_validate({**files.config, "files": vouched})
    try:
        building = new_folder(folder.parent, f".{folder.name}-")
        try:
            for name, content in digests.items():
                replace_file(building / name, content)
            replace_file(building / METRICS, _json(files.metrics))
            replace_file(building / CARD, files.card.encode())
            replace_file(building / CONFIG, _json(config.model_dump(mode="json")))
            if folder.exists():
                shutil.rmtree(folder)
            building.rename(folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise DataError(f"cannot write the model to {folder}: {error.strerror}") from error


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def read_config(folder: Path) -> ModelConfig:
    """Read a model's configuration.

    Raises:
        DataError: there is no model, or one of another format.
    """
    path = folder / CONFIG
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise DataError(
                f"{folder} is a model of format {content['format']!r}; this version reads {FORMAT}"
            )
        return ModelConfig.model_validate(content)
    except OSError as error:
        raise DataError(f"there is no model in {folder}: no {CONFIG}") from error
    except ValidationError as error:
        what = error.errors()[0]
        place = ".".join(map(str, what["loc"]))
        raise DataError(f"{path} is not a model's: {place}: {what['msg']}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a model's: {error}") from error


def read_vouched(folder: Path, config: ModelConfig) -> dict[str, bytes]:
    """Read the files that the configuration vouches for.

    Raises:
        DataError: one is missing, or is not what was written.
    """
    found = {}
    for name in _VOUCHED:
        try:
            found[name] = (folder / name).read_bytes()
        except OSError as error:
            raise DataError(f"the model in {folder} has no {name}: copy it whole") from error
        if hashlib.sha256(found[name]).hexdigest() != config.files.get(name):
            raise DataError(f"{folder / name} was altered: it is not what {CONFIG} says")
    return found
