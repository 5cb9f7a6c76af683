"""What the finalists are worth over the test part, and the winner's model."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.final.candidates import Candidate
from search.final.handover import Source, provenance, write_trial
from search.final.statistics import Estimate, Metric, compare, verdict
from search.journal.folder import StudyDir
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.seeds import derive_seed
from trainables.data.corpus import Corpus, open_corpus
from trainables.errors import CheckpointError, DataError
from trainables.serving.folder import FILES
from trainables.serving.model import Model, load_model
from trainables.serving.replacing import find_stray
from trainables.serving.scores import LIMITS, metric_over, score
from trainables.storage import default_cache

#: Samples drawn again of what is a mean over texts, and of what takes longer.
_DRAWS, _FEW_DRAWS = 2000, 300

#: What is said where the search has found nothing.
_SAME = "not better than the baseline: it is the baseline's own configuration"

_MEANS = ("accuracy", "loss", "mae")


@dataclass(frozen=True)
class Finalist:
    """A configuration that was trained to be judged.

    Attributes:
        role: ``winner`` or ``baseline``.
        validation: its seeds' best values over validation texts, before it was trained on these.
        epochs: for how many epochs it was trained.
        folder, state: the study of its last training, a trial a seed.
    """

    role: str
    candidate: Candidate
    validation: list[float]
    epochs: int
    folder: StudyDir
    state: StudyState

    @property
    def trials(self) -> Sequence[Trial]:
        """Its seeds, in order."""
        return self.state.trials


@dataclass(frozen=True)
class Contender:
    """A finalist with its models, a seed each."""

    finalist: Finalist
    models: list[Model]


def load_contenders(finalists: Sequence[Finalist], out: Path) -> list[Contender]:
    """Write and load the models of all seeds, and look at ``out``, where the winner's will be.

    Whatever can fail without the test part fails here, while that is closed.

    Raises:
        CheckpointError: a checkpoint is gone or damaged; says how to train it again.
        DataError: a folder cannot be written, or something else is in its place.
    """
    winner, baseline = finalists
    _check_place(out)
    ours = Contender(winner, _models(winner))
    return [ours, ours if baseline is winner else Contender(baseline, _models(baseline))]


def judge(
    contenders: Sequence[Contender], study: StudyState, corpus: Corpus, out: Path
) -> dict[str, Any]:
    """Read the test part, and return what ``final.json`` says; write the winner's model to
    ``out``.

    The model is the first seed's, which nobody chose by its figure.
    """
    winner, baseline = (one.finalist for one in contenders)
    metric = study.objective.metric.removeprefix("val/")
    targets_N = np.asarray(corpus.part("test").labels)
    ours = _tested(contenders[0], corpus, metric)
    theirs = ours if winner is baseline else _tested(contenders[1], corpus, metric)
    draws = _DRAWS if metric in _MEANS else _FEW_DRAWS
    sign = -study.objective.cost(1.0)
    mean, of_baseline, gain = compare(
        ours.metrics, theirs.metrics, len(targets_N), sign, draws, LIMITS[metric]
    )
    scale = max(abs(mean.mean), abs(of_baseline.mean))
    result: dict[str, Any] = {
        "metric": f"test/{metric}",
        "texts": len(targets_N),
        "winner": _row(winner, mean) | ours.scores(metric, targets_N),
        "baseline": _row(baseline, of_baseline) | theirs.scores(metric, targets_N),
        "gain": {"mean": gain.mean, "ci95": list(gain.ci95), "p": gain.p},
        "verdict": _SAME if winner is baseline else verdict(gain, metric, scale),
    }
    _hand_over(winner, study, out, result)
    return result


@dataclass(frozen=True)
class _Tested:
    """What a finalist's seeds say of the test part.

    Attributes:
        model: the first seed's.
        outputs: of each seed, outputs_NC.
        metrics: of each seed, over some of the texts.
    """

    model: Model
    outputs: list[NDArray[np.float32]]
    metrics: list[Metric]

    def scores(self, metric: str, targets_N: NDArray[Any]) -> dict[str, Any]:
        """Return all figures of the first seed, and the metric of all seeds' mean outputs."""
        together_NC = np.mean(self.outputs, axis=0)
        of_all = metric_over(self.model, metric, together_NC, targets_N)
        return {
            "ensemble": of_all(np.arange(len(targets_N))),
            "scores": asdict(score(self.model, self.outputs[0], targets_N)),
        }


def _tested(contender: Contender, corpus: Corpus, metric: str) -> _Tested:
    models, targets_N = contender.models, np.asarray(corpus.part("test").labels)
    outputs = [_outputs(model, corpus) for model in models]
    metrics = [metric_over(models[0], metric, one_NC, targets_N) for one_NC in outputs]
    return _Tested(models[0], outputs, metrics)


def _models(finalist: Finalist) -> list[Model]:
    """Return a model a seed, each through a folder of its own beside its study."""
    found = []
    for trial in finalist.trials:
        out = finalist.folder.root / "models" / f"trial-{trial.number:04d}"
        _check_place(out)
        about = _about(finalist, trial, {})
        try:
            write_trial(_source(finalist, trial), out, finalist.folder.name, about)
        except CheckpointError as error:
            raise CheckpointError(
                f"{error}. The test part stays closed: to train the seeds again, remove "
                f"{finalist.folder.root} and call this anew"
            ) from error
        found.append(load_model(out))
    return found


def _check_place(out: Path) -> None:
    """Make sure that a model's folder may be replaced.

    Raises:
        DataError: it holds what is not ours.
    """
    stray = find_stray(out, FILES)
    if stray is not None:
        raise DataError(
            f"{stray} is there, and not ours: move it away, and call this anew; the test part "
            "stays closed until then"
        )


def _source(finalist: Finalist, trial: Trial) -> Source:
    corpus = open_corpus(default_cache().corpus(finalist.state.data))
    return Source(finalist.folder, trial, trial.epochs[-1], corpus)


def _about(finalist: Finalist, trial: Trial, metrics: dict[str, float]) -> dict[str, Any]:
    origin = provenance(finalist.folder, finalist.state, trial, trial.epochs[-1])
    return {"part": "test", "metrics": metrics, "provenance": origin}


def _hand_over(winner: Finalist, study: StudyState, out: Path, result: dict[str, Any]) -> None:
    """Write the model of the first seed, as the study's."""
    first, row = winner.trials[0], result["winner"]
    metrics = {f"test/{k}": one["value"] for k, one in row["scores"]["figures"].items()}
    about = _about(winner, first, metrics)
    about["over_seeds"] = {
        "metric": result["metric"],
        **{k: row[k] for k in ("test", "mean", "ci95")},
    }
    about["provenance"] |= {"study": study.created.name, "trial": winner.candidate.trial}
    about["provenance"]["data"]["digest"] = study.data
    name = f"{study.created.name}, finalised"
    write_trial(_source(winner, first), out, name, about)


def _outputs(model: Model, corpus: Corpus) -> NDArray[np.float32]:
    part = corpus.part("test")
    bounds = zip(part.offsets[:-1], part.offsets[1:], strict=True)
    return model.outputs_of([model.encoder.cut(np.asarray(part.ids[a:b])) for a, b in bounds])


def _row(finalist: Finalist, estimate: Estimate) -> dict[str, Any]:
    seed, name = finalist.state.spec.search.seed, "trial"
    return {
        "trial": finalist.candidate.trial,
        "params": finalist.candidate.params,
        "epochs": finalist.epochs,
        "seeds": [derive_seed(seed, name, trial.number) for trial in finalist.trials],
        "validation": finalist.validation,
        "test": estimate.each,
        "mean": estimate.mean,
        "sd": estimate.sd,
        "ci95": list(estimate.ci95),
    }
