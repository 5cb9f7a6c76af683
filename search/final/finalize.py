"""From a study's best configurations to one honest figure, and the model behind it.

The best are trained with several seeds, ranked by their mean over validation texts, and the winner
is trained once more on training and validation texts together, as long as its seeds needed. So is
the baseline. Then the test part is opened, once. Every stage is a study of its own under ``final``,
and goes on where it stood.
"""

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from cluster.connect import kept_connected
from search.driver.plan import Options
from search.driver.signals import Interrupter
from search.errors import SpecError
from search.final.candidates import Candidate, baseline_of, best_candidates, terms_of
from search.final.judging import Contender, judge, load_contenders
from search.final.openings import Openings
from search.final.path import importances
from search.final.stages import Stages
from search.journal.folder import StudyDir
from search.journal.state import StudyState
from search.monitor.logs import logging_to
from search.report.corpus import study_corpus
from search.report.markdown import write_report
from trainables.storage import Cache, replace_file
from trainables.tasks.registry import TASKS

#: Configurations that stand for a study, and seeds of each, unless others are asked for.
_TOP, _SEEDS = 3, 5


@dataclass(frozen=True)
class Request:
    """What is asked of a study's end.

    Attributes:
        top: how many configurations stand for it; None for as many as before, or three.
        seeds: with how many seeds each is trained; None for as many as before, or five.
        explain: train the path from the baseline to the winner, too.
        force: open the test part again.
        options: how trials run, as of ``run``.
        typed: the options of a command that goes on with it, for whoever asks it to leave.
    """

    top: int | None
    seeds: int | None
    explain: bool
    force: bool
    options: Options
    typed: Sequence[str] = ()


class Lineup(BaseModel):
    """What was decided when a study's end began; it holds to the end, whatever the study does.

    Attributes:
        data: the digest of the study's data.
        terms: by what they are trained and judged; None where that was not written down.
        ended: how many of its trials had ended; None where that was not written down.
        importances: of the searched hyperparameters; None where too little is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    seeds: int
    top: int
    baseline: Candidate
    candidates: list[Candidate]
    importances: dict[str, float] | None
    ended: int | None = None
    terms: dict[str, Any] | None = None

    @property
    def digest(self) -> str:
        """What tells them from others."""
        content: list[Any] = [_params([*self.candidates, self.baseline]), self.seeds]
        content += [] if self.terms is None else [json.dumps(self.terms, sort_keys=True)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def finalize(
    folder: StudyDir, state: StudyState, request: Request, cache: Cache, interrupter: Interrupter
) -> dict[str, Any]:
    """Carry a study to its end; return what ``final.json`` says.

    With ``explain``, what was finalised before is explained, and the test part stays closed.

    Raises:
        SpecError: the study cannot be finalised, was with other options, was changed since, or
            has others that are better by now.
        NoFiniteResult: no candidate has a finite result.
        Halt: it was told to leave; it goes on where it stood.
    """
    if state.spec.task not in TASKS:
        raise SpecError(f"finalize scores built-in tasks; {state.spec.task} is one of your own")
    with logging_to(folder):
        corpus = study_corpus(state, cache)
        if not corpus.sizes.get("test"):
            raise SpecError(f"the data of study {folder.name!r} has no test part: nothing to open")
        with folder.locked(listener=interrupter):
            openings = Openings(folder.openings)
            judged = openings.result is not None and not openings.unfinished
            if judged and not request.force and not request.explain:
                if _is_told(folder, openings):
                    raise SpecError(f"{openings.refusal()}. What came of it: {folder.final_result}")
                return _tell(folder, state, openings)
            stages = Stages(folder, state, request.options, interrupter)
            stages.check_data(cache)
            lineup = _begin(folder, state, request, openings)
            contenders = _train(folder, stages, lineup, request, not judged or request.force)
            if contenders is not None:
                openings.open("finalize", request.force, lineup.digest)
                _remember(folder, [one for one in request.typed if one != "--force"])
                openings.close(judge(contenders, state, corpus, folder.model))
            return _tell(folder, state, openings)


def _begin(folder: StudyDir, state: StudyState, request: Request, openings: Openings) -> Lineup:
    """Return who stands for the study, and write down how this goes on; raise as ``finalize``."""
    lineup = _lineup(folder, state, request)
    _check_lineup(folder, state, lineup, openings, request)
    path = _lineup_file(folder)
    if not path.exists():
        path.parent.mkdir(exist_ok=True, mode=0o700)
        replace_file(path, lineup.model_dump_json(indent=1).encode() + b"\n", mode=0o600)
    _remember(folder, request.typed)
    return lineup


def _remember(folder: StudyDir, typed: Sequence[str]) -> None:
    """Write down by which options this goes on, for ``stop``. Once the test part is open, --force
    is none of them: it would open it again."""
    replace_file(folder.final_options, f"{shlex.join(typed)}\n".encode(), mode=0o600)


def _train(
    folder: StudyDir, stages: Stages, lineup: Lineup, request: Request, opens: bool
) -> list[Contender] | None:
    """Train all that is to be trained; return who is to be judged, or None where nobody is."""
    with kept_connected():
        ranking = stages.ranking([*lineup.candidates, lineup.baseline], lineup.seeds)
        if request.explain:
            path = _json(stages.path(ranking, lineup.importances))
            replace_file(_path_file(folder), path, mode=0o600)
        finalists = stages.finalists(ranking) if opens else None
    return None if finalists is None else load_contenders(finalists, folder.model)


def _lineup_file(folder: StudyDir) -> Path:
    return folder.final / "lineup.json"


def _path_file(folder: StudyDir) -> Path:
    return folder.final / "path.json"


def _tell(folder: StudyDir, state: StudyState, openings: Openings) -> dict[str, Any]:
    """Write down and return what is on record."""
    result = {**(openings.result or {}), "test_opened": openings.count}
    if _path_file(folder).exists():
        result["path"] = json.loads(_path_file(folder).read_bytes())
    replace_file(folder.final_result, _json(result), mode=0o600)
    write_report(folder, state, running=False)
    return result


def _is_told(folder: StudyDir, openings: Openings) -> bool:
    """Whether ``final.json`` is of the last opening: a crash may have come between."""
    path = folder.final_result
    return path.exists() and json.loads(path.read_bytes())["test_opened"] == openings.count


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"


def _lineup(folder: StudyDir, state: StudyState, request: Request) -> Lineup:
    """Return what was decided before, or decide.

    Raises:
        SpecError: it was decided for other options, or for a study that was changed since.
    """
    path = _lineup_file(folder)
    if path.exists():
        lineup = Lineup.model_validate_json(path.read_bytes())
        _check_unchanged(folder, state, lineup)
        if request.top not in (None, lineup.top) or request.seeds not in (None, lineup.seeds):
            raise SpecError(
                f"finalize of study {folder.name!r} began with --top {lineup.top} --seeds "
                f"{lineup.seeds}: go on with these, or remove {path.parent} to train others"
            )
        return lineup
    top, seeds = request.top or _TOP, request.seeds or _SEEDS
    return Lineup(
        data=state.data,
        seeds=seeds,
        top=top,
        baseline=baseline_of(state),
        candidates=best_candidates(state, top),
        importances=importances(state),
        ended=state.trials.ended,
        terms=terms_of(state.spec),
    )


def _check_unchanged(folder: StudyDir, state: StudyState, lineup: Lineup) -> None:
    """Make sure that the study still trains and judges as when its end began.

    Raises:
        SpecError: it was changed by force.
    """
    now, terms = terms_of(state.spec), lineup.terms
    other = ["data"] if lineup.data != state.data else []
    if terms is not None:
        other += [name for name in now if terms.get(name) != now[name]]
    if other:
        raise SpecError(
            f"study {folder.name!r} was changed after its finalize began: another "
            f"{' and '.join(other)}. Put that back, or remove {folder.final} to begin anew; "
            "openings of the test part stay on record"
        )


def _check_lineup(
    folder: StudyDir, state: StudyState, lineup: Lineup, openings: Openings, request: Request
) -> None:
    """Make sure that what is asked for may be done with those that were chosen.

    Raises:
        SpecError: the test part may not be opened for them; others stand for the study by now; or
            not they were finalised, but others.
    """
    judged = openings.result is not None and not openings.unfinished
    if judged and not request.force:  # to be explained
        if openings.chosen not in (None, lineup.digest):
            raise SpecError(
                f"what study {folder.name!r} was finalised with is no longer in {folder.final}, so "
                "it cannot be explained: finalize anew with --force --explain"
            )
        return
    openings.check(request.force, lineup.digest)
    if openings.may_finish(lineup.digest) or _still_stand(lineup, state):
        return
    kept = f", or keep to the figure of {folder.final_result}" if judged else ""
    raise SpecError(
        f"the candidates of study {folder.name!r} were chosen when {lineup.ended} trials had ended "
        f"({state.trials.ended} have now), and others stand for it by now: to choose anew, remove "
        f"{folder.final}{kept}. Openings of the test part stay on record"
    )


def _still_stand(lineup: Lineup, state: StudyState) -> bool:
    """Whether the study would choose the same again."""
    if lineup.ended in (None, state.trials.ended):
        return True
    now = [*best_candidates(state, lineup.top), baseline_of(state)]
    return sorted(_params(now)) == sorted(_params([*lineup.candidates, lineup.baseline]))


def _params(candidates: Sequence[Candidate]) -> list[str]:
    return [json.dumps(one.params, sort_keys=True) for one in candidates]
