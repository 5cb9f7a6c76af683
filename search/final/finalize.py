"""From a study's best configurations to one honest figure, and the model behind it.

The best are trained with several seeds, ranked by their mean over validation texts, and the winner
is trained once more on training and validation texts together, as long as its seeds needed. So is
the baseline. Then the test part is opened, once. Every stage is a study of its own under ``final``,
and goes on where it stood.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from search.driver.plan import Options, plan_session
from search.driver.preparation import PreparedData, prepare_study
from search.driver.session import Prepare, resume, start
from search.driver.signals import Halt, Interrupter
from search.errors import NoFiniteResult, SpecError
from search.final.candidates import Candidate, baseline_of, best_candidates, contest, retraining
from search.final.handover import FEATURES
from search.final.judging import Finalist, judge
from search.final.openings import Openings
from search.journal.folder import StudyDir
from search.journal.load import load
from search.journal.state import StudyState
from search.journal.trial import Trial
from search.monitor.say import say
from search.report.corpus import study_corpus
from search.spec.study import StudySpec
from trainables.data.corpus import open_corpus
from trainables.data.joined import join_parts
from trainables.storage import Cache, replace_file
from trainables.tasks.registry import TASKS
from trainables.tasks.text_inputs import PreparedTexts


@dataclass(frozen=True)
class Request:
    """What is asked of a study's end.

    Attributes:
        top: how many configurations stand for it.
        seeds: with how many seeds each is trained.
        force: open the test part again.
        options: how trials run, as of ``run``.
    """

    top: int
    seeds: int
    force: bool
    options: Options


class Lineup(BaseModel):
    """What was decided when a study's end began; it holds to the end, whatever the study does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: int
    top: int
    baseline: Candidate
    candidates: list[Candidate]


def finalize(
    folder: StudyDir, state: StudyState, request: Request, cache: Cache, interrupter: Interrupter
) -> dict[str, Any]:
    """Carry a study to its end; return what ``final.json`` says.

    Raises:
        SpecError: the study cannot be finalised, or was with other options.
        NoFiniteResult: no candidate has a finite result.
        Halt: it was told to leave; it goes on where it stood.
    """
    if state.spec.task not in TASKS:
        raise SpecError(f"finalize scores built-in tasks; {state.spec.task} is one of your own")
    corpus = study_corpus(state, cache)
    if not corpus.sizes.get("test"):
        raise SpecError(f"the data of study {folder.name!r} has no test part: nothing to open")
    with folder.locked(listener=interrupter):
        openings = Openings(folder.root / "final" / "openings.jsonl")
        if openings.result is not None and not request.force:
            openings.open("", force=False)  # says that it was opened before
        lineup = _lineup(folder, state, request)
        stages = _Stages(folder.root / "final", state.spec, request, cache, interrupter)
        finalists = stages.finalists(lineup)
        openings.open("finalize", request.force)
        result = judge(finalists, state, corpus, folder.root)
        result["test_opened"] = openings.count
        openings.close(result)
        replace_file(folder.root / "final.json", _json(result), mode=0o600)
    return result


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"


def _lineup(folder: StudyDir, state: StudyState, request: Request) -> Lineup:
    """Return what was decided before, or decide.

    Raises:
        SpecError: it was decided for other options.
    """
    path = folder.root / "final" / "lineup.json"
    if path.exists():
        lineup = Lineup.model_validate_json(path.read_bytes())
        if (lineup.top, lineup.seeds) != (request.top, request.seeds):
            raise SpecError(
                f"finalize of study {folder.name!r} began with --top {lineup.top} --seeds "
                f"{lineup.seeds}: go on with these, or remove {path.parent} to begin anew"
            )
        return lineup
    lineup = Lineup(
        seeds=request.seeds,
        top=request.top,
        baseline=baseline_of(state),
        candidates=best_candidates(state, request.top),
    )
    for one in (*lineup.candidates, lineup.baseline):
        if one.params.get("embedding") == FEATURES:
            raise SpecError(
                f"trial {one.trial} reads what BERT makes of a text (embedding = {FEATURES!r}): "
                "such a model cannot be handed over, so it cannot be finalised"
            )
    path.parent.mkdir(exist_ok=True, mode=0o700)
    replace_file(path, lineup.model_dump_json(indent=1).encode() + b"\n", mode=0o600)
    return lineup


class _Stages:
    """The studies under ``final``: each is begun, or goes on."""

    def __init__(
        self,
        folder: Path,
        spec: StudySpec,
        request: Request,
        cache: Cache,
        interrupter: Interrupter,
    ) -> None:
        self._folder, self._spec, self._cache = folder, spec, cache
        self._request, self._interrupter = request, interrupter

    def finalists(self, lineup: Lineup) -> list[Finalist]:
        """Return the winner and the baseline, trained to be judged."""
        everyone = [*lineup.candidates, lineup.baseline]
        say(f"{len(lineup.candidates)} candidates and the baseline, {lineup.seeds} seeds each")
        held = self._run(contest(self._spec, everyone, lineup.seeds), prepare_study)
        ranked = [
            _seeds_of(held, place, len(everyone), lineup.seeds) for place in range(len(everyone))
        ]
        means = [_mean_cost(held, trials) for trials in ranked]
        best = int(np.argmin(means[:-1]))
        if not np.isfinite(means[best]) or not np.isfinite(means[-1]):
            raise NoFiniteResult("not every seed was trained to a finite result")
        winner = self._finalist("winner", everyone[best], ranked[best], held)
        if winner.candidate.params == lineup.baseline.params:
            return [winner, winner]
        return [winner, self._finalist("baseline", lineup.baseline, ranked[-1], held)]

    def _finalist(
        self, role: str, candidate: Candidate, trials: Sequence[Trial], held: StudyState
    ) -> Finalist:
        epochs = _epochs_needed(trials)
        values = [trial.best_value for trial in trials if trial.best_value is not None]
        say(
            f"{role}: {held.objective.metric} {np.mean(values):.4f} over validation texts, mean of "
            f"{len(values)} seeds; now {epochs} epochs over these too"
        )
        spec = retraining(self._spec, role, candidate, epochs, len(trials))
        state = self._run(spec, _joined)
        return Finalist(role, candidate, values, epochs, StudyDir(self._folder / role), state)

    def _run(self, spec: StudySpec, prepare: Prepare) -> StudyState:
        folder = StudyDir(self._folder / spec.name)
        options = replace(self._request.options, name=None, trials=None)
        resources = {**spec.resources.model_dump(), **_given(options)}
        spec = spec.model_copy(update={"resources": type(spec.resources).model_validate(resources)})
        plan = plan_session(spec, options)
        if folder.exists():
            past = load(folder)
            outcome = resume(folder, plan, self._interrupter, past, prepare)
        else:
            outcome = start(spec, self._folder, plan, self._interrupter, prepare)
        if outcome.reason != "finished":
            raise Halt(outcome.reason, outcome.exit_code)
        return outcome.state


def _given(options: Options) -> dict[str, Any]:
    """Return the resources that were named on the command line."""
    named = ("max_concurrent", "cpus_per_trial", "gpus_per_trial", "max_failures")
    return {name: getattr(options, name) for name in named if getattr(options, name) is not None}


def _joined(spec: StudySpec, cache: Cache, trials: Sequence[Trial]) -> PreparedData:
    """Prepare training and validation texts as one part to train on."""
    prepared = prepare_study(spec, cache, trials).current
    assert isinstance(prepared, PreparedTexts)
    joined = join_parts(open_corpus(prepared.folder), cache)
    summary = f"{joined.sizes['train']:,} texts, those of the validation part among them"
    return PreparedData(
        replace(prepared, folder=joined.path, summary=summary, examples=joined.sizes["train"])
    )


def _seeds_of(state: StudyState, place: int, candidates: int, seeds: int) -> list[Trial]:
    return [state.trials[seed * candidates + place] for seed in range(seeds)]


def _mean_cost(state: StudyState, trials: Sequence[Trial]) -> float:
    """Return the mean cost of a candidate's seeds; infinite where one failed."""
    values = [trial.best_value for trial in trials]
    if None in values:
        return float("inf")
    return float(np.mean([state.objective.cost(value) for value in values if value is not None]))


def _epochs_needed(trials: Sequence[Trial]) -> int:
    """Return for how many epochs a configuration is to be trained: the mean of its best ones."""
    best = [trial.best_epoch.epoch for trial in trials if trial.best_epoch is not None]
    return max(1, round(float(np.mean(best))))
