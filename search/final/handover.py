"""From a trial of a study to the folder of a model, which needs neither."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from search.errors import SpecError
from search.journal.epochs import Epoch
from search.journal.folder import StudyDir
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.seeds import derive_seed
from search.report.corpus import study_corpus
from trainables.data.corpus import Corpus
from trainables.data.part import fingerprints
from trainables.data.text.bert import bert_version
from trainables.embeddings.sources import SOURCES
from trainables.errors import CheckpointError
from trainables.serving.card import model_card
from trainables.serving.folder import ModelFiles, ModelSpec, write_model
from trainables.storage import Cache
from trainables.tasks.registry import TASKS

#: Averaged weights before the last ones: they are what was evaluated.
_AVERAGED, _LAST = "average.module.", "model."


def hand_over(folder: StudyDir, state: StudyState, number: int, out: Path, cache: Cache) -> None:
    """Write the model of a trial's best epoch.

    Raises:
        SpecError: there is no such trial, it has no result, or its task has no model folder.
        CheckpointError: its checkpoint is gone or damaged.
        DataError: the study's texts are gone, or the folder cannot be written.
    """
    trial, epoch = _trial(state, number)
    about = {
        "part": "validation",
        "metrics": epoch.metrics,
        "provenance": provenance(folder, state, trial, epoch),
    }
    name = f"{folder.name}, trial {number}"
    write_trial(Source(folder, trial, epoch, study_corpus(state, cache)), out, name, about)


@dataclass(frozen=True)
class Source:
    """Where a model's weights are, and the texts that it was trained on."""

    folder: StudyDir
    trial: Trial
    epoch: Epoch
    corpus: Corpus


def write_trial(source: Source, out: Path, name: str, about: dict[str, Any]) -> None:
    """Write the model of one epoch of a trial; ``about`` is what ``metrics.json`` says.

    Raises:
        SpecError, CheckpointError, DataError: see ``hand_over``.
    """
    trial, corpus = source.trial, source.corpus
    weights, hyperparameters = _weights(source.folder, source.epoch)
    frozen = [kind for kind, source in SOURCES.items() if source.frozen]
    data = trial.spec.inputs["data"]
    spec = ModelSpec(
        task=trial.spec.task,
        hyperparameters=hyperparameters,
        max_tokens=data["max_tokens"],
        keep=data["keep"],
        vocabulary=corpus.vocabulary,
        classes=tuple(corpus.classes),
        features=bert_version() if hyperparameters.get("embedding") in frozen else None,
    )
    files = ModelFiles(
        spec=spec,
        weights=weights,
        tokenizer=corpus.tokenizer_file.read_bytes(),
        trained=fingerprints(corpus.part("train"), corpus.part("validation")),
        metrics=about,
        card=model_card(name, spec, about),
    )
    write_model(out, files)


def _trial(state: StudyState, number: int) -> tuple[Trial, Epoch]:
    name = state.created.name
    if number >= len(state.trials):
        raise SpecError(f"study {name!r} has no trial {number}: it has made {len(state.trials)}")
    trial = state.trials[number]
    if trial.spec.task not in TASKS:
        raise SpecError(
            f"the task of study {name!r} is one of your own, {trial.spec.task}: to load its model "
            "would run its code, so it has no model folder"
        )
    epoch = trial.best_epoch
    if epoch is None:
        raise SpecError(f"trial {number} of study {name!r} has no finite result: choose another")
    if not state.is_comparable(trial):
        raise SpecError(f"trial {number} of study {name!r} is over other data: choose another")
    return trial, epoch


def _weights(folder: StudyDir, epoch: Epoch) -> tuple[bytes, dict[str, Any]]:
    """Return the weights that were evaluated, as a file of their own, and the hyperparameters."""
    path = folder.root / epoch.checkpoint.path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"the checkpoint {epoch.checkpoint.path} is gone: of the trials that have ended only "
            "the best keep theirs (resources.keep_best)"
        ) from error
    if hashlib.sha256(content).hexdigest() != epoch.checkpoint.digest:
        raise CheckpointError(f"checkpoint {path} is damaged: its digest differs")
    try:
        arrays = load_arrays(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        hyperparameters = json.loads(header["__metadata__"]["seqtune"])["hyperparameters"]
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is not a seqtune checkpoint: {error}") from error
    prefix = _AVERAGED if any(name.startswith(_AVERAGED) for name in arrays) else _LAST
    chosen = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
    return save_arrays(chosen, metadata={"format": "pt"}), hyperparameters


def provenance(folder: StudyDir, state: StudyState, trial: Trial, epoch: Epoch) -> dict[str, Any]:
    """Return where a model comes from: enough to train it again."""
    session, data = state.session, trial.spec.inputs["data"]
    return {
        "study": folder.name,
        "trial": trial.number,
        "epoch": epoch.epoch,
        "seed": derive_seed(trial.spec.search.seed, "trial", trial.number),
        "data": {
            "source": Path(data["source"]).name,
            "revision": data.get("revision"),
            "digest": state.data,
        },
        "versions": session.versions if session else {},
        "code": session.code if session else {},
    }
