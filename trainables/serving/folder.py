"""The folder of a model: what it is made of, written once, and verified when it is read.

Nothing in it is executed. It needs no corpus, no study and no Ray, and to look at it no torch.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trainables.errors import DataError
from trainables.serving.replacing import replaced_folder
from trainables.storage import replace_file

#: Raised when a folder is read or made differently.
FORMAT = 2

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
METRICS, CARD, TRAINED = "metrics.json", "README.md", "training.digests"

#: Files whose bytes the configuration vouches for.
_VOUCHED = (WEIGHTS, TOKENIZER, TRAINED)

FILES = frozenset({CONFIG, METRICS, CARD, *_VOUCHED})


class ModelSpec(BaseModel):
    """What a model is.

    Attributes:
        task: ``text-classification`` or ``text-regression``.
        hyperparameters: all of the task's, as the model was built.
        max_tokens, keep: how a text is cut, as in the study's ``[data]``.
        vocabulary: distinct token ids.
        classes: names, in the order of the outputs; empty for a regression.
        features: the BERT whose outputs it reads, package and version; None where it reads words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    task: Literal["text-classification", "text-regression"]
    hyperparameters: dict[str, Any]
    max_tokens: int = Field(ge=1)
    keep: Literal["start", "end"]
    vocabulary: int = Field(ge=2)
    classes: tuple[str, ...]
    features: str | None = None


class ModelConfig(ModelSpec):
    """What a model's folder says of itself.

    Attributes:
        files: the SHA-256 of the other files that a prediction depends on.
        digest: the SHA-256 of all the rest as JSON, its keys in order.
    """

    files: dict[str, str]
    digest: str

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.digest != digest_of(self.model_dump(mode="json", exclude={"digest"})):
            raise ValueError("it was altered: it is not what its digest says")
        return self


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class ModelFiles:
    """The content of a model's folder, less the configuration's digests.

    Attributes:
        trained: ``part.fingerprints`` of the texts that it was trained on or chosen by.
        metrics: what it scored, and where it comes from; plain JSON.
        card: the model card, as Markdown.
    """

    spec: ModelSpec
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
    digests = {WEIGHTS: files.weights, TOKENIZER: files.tokenizer, TRAINED: files.trained}
    vouched = {name: hashlib.sha256(content).hexdigest() for name, content in digests.items()}
    content = files.spec.model_dump(mode="json") | {"files": vouched}
    config = ModelConfig.model_validate({**content, "digest": digest_of(content)})
    with replaced_folder(folder, FILES) as building:
        for name, data in digests.items():
            replace_file(building / name, data)
        replace_file(building / METRICS, _json(files.metrics))
        replace_file(building / CARD, files.card.encode())
        replace_file(building / CONFIG, _json(config.model_dump(mode="json")))


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
        place = "".join(f"{part}: " for part in what["loc"])
        said = what["msg"].removeprefix("Value error, ")
        raise DataError(f"{path} is not a model's: {place}{said}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
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
