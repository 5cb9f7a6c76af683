"""What the finalists are worth over the test part, and the winner's model."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.final.candidates import Candidate
from search.final.handover import Source, provenance, write_trial
from search.final.statistics import Estimate, compare, verdict
from search.journal.folder import StudyDir
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.policy.seeds import derive_seed
from trainables.data.corpus import Corpus, open_corpus
from trainables.serving.model import Model, load_model
from trainables.serving.scores import metric_over, score
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
    def trials(self) -> list[Trial]:
        """Its seeds, in order."""
        return self.state.trials


def judge(
    finalists: Sequence[Finalist], study: StudyState, corpus: Corpus, out: Path
) -> dict[str, Any]:
    """Read the test part, and return what ``final.json`` says; write the winner's model to
    ``out``.

    The model is the first seed's, which nobody chose by its figure.
    """
    winner, baseline = finalists
    same = winner is baseline
    metric = study.objective.metric.removeprefix("val/")
    test = corpus.part("test")
    targets_N = np.asarray(test.labels)
    models = [_models(finalist) for finalist in finalists]
    outputs = [[_outputs(model, corpus) for model in seeds] for seeds in models]
    one = models[0][0]
    winners, baselines = [
        [metric_over(one, metric, outputs_NC, targets_N) for outputs_NC in seeds]
        for seeds in outputs
    ]
    draws = _DRAWS if metric in _MEANS else _FEW_DRAWS
    sign = -study.objective.cost(1.0)
    ours, theirs, gain = compare(winners, baselines, len(targets_N), sign, draws)
    together_NC = np.mean(outputs[0], axis=0)
    scores = score(one, outputs[0][0], targets_N)
    result = {
        "metric": f"test/{metric}",
        "winner": _row(winner, ours),
        "baseline": _row(baseline, theirs),
        "gain": {"mean": gain.mean, "ci95": list(gain.ci95), "p": gain.p},
        "verdict": _SAME if same else verdict(gain, metric),
        "ensemble": metric_over(one, metric, together_NC, targets_N)(np.arange(len(targets_N))),
        "scores": asdict(scores),
        "texts": len(targets_N),
    }
    _hand_over(winner, study, out, {f"test/{k}": v.value for k, v in scores.figures.items()})
    return result


def _models(finalist: Finalist) -> list[Model]:
    """Return a model a seed, each through a folder of its own beside its study."""
    found = []
    for trial in finalist.trials:
        out = finalist.folder.root / "models" / f"trial-{trial.number:04d}"
        about = _about(finalist, trial, {})
        write_trial(_source(finalist, trial), out, finalist.folder.name, about)
        found.append(load_model(out))
    return found


def _source(finalist: Finalist, trial: Trial) -> Source:
    corpus = open_corpus(default_cache().corpus(finalist.state.data))
    return Source(finalist.folder, trial, trial.epochs[-1], corpus)


def _about(finalist: Finalist, trial: Trial, metrics: dict[str, float]) -> dict[str, Any]:
    origin = provenance(finalist.folder, finalist.state, trial, trial.epochs[-1])
    return {"part": "test", "metrics": metrics, "provenance": origin}


def _hand_over(winner: Finalist, study: StudyState, out: Path, metrics: dict[str, float]) -> None:
    """Write the model of the first seed, as the study's."""
    first = winner.trials[0]
    about = _about(winner, first, metrics)
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
