"""A search from Python: ``run`` and ``resume`` as calls, a study's state and trials as objects.

Nothing here ends the process or takes a signal over. Ctrl-C leaves by ``KeyboardInterrupt``, and
the study resumes where it stood. One thing is Ray's to decide: when its control service (GCS) dies,
it ends the process after a minute, and the study resumes as well.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.driver.plan import Options, changed_study, new_study, plan_session, study_of_tables
from search.driver.session import Outcome, start
from search.driver.session import resume as go_on
from search.driver.signals import Interrupter
from search.errors import NoFiniteResult
from search.journal.folder import open_study_dir
from search.journal.load import load as load_study
from search.journal.load import load_state
from search.journal.state import StudyState
from search.report.rows import nothing_finite, trial_row

_RESULTS = "results"


def run(
    study: str | Path | Mapping[str, Any],
    *,
    results_dir: str | Path = _RESULTS,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Outcome:
    """Begin a new study and search until all its trials have ended, or the time budget is spent.

    Args:
        study: a built-in name, a study file, or the tables of one.
        results_dir: the folder that holds one folder a study.
        settings: any setting by its dotted name, as in ``{"stopping.max_epochs": 3}``.
        options: what ``seqtune run`` takes: ``name``, ``trials``, ``time_budget`` (seconds, or
            ``"30m"``), ``max_concurrent``, ``cpus_per_trial``, ``gpus_per_trial``,
            ``max_failures``, ``tensorboard``, ``cluster``, ``data``, ``seed``.

    Raises:
        SeqtuneError, ClusterError: something is wrong, and nothing was started.
        NoFiniteResult: no trial has a finite result.
        StudyFailed: the search broke off; ``resume`` goes on.
    """
    given = _options(options, settings)
    if isinstance(study, Mapping):
        spec = study_of_tables({**study}, given, "study")
    else:
        spec = new_study(str(study), given)
    plan = plan_session(spec, given)
    results = Path(results_dir).expanduser()
    return _with_result(start(spec, results, plan, Interrupter(plan.time_budget)))


def resume(
    name: str,
    *,
    results_dir: str | Path = _RESULTS,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
    take_over: bool = False,
    **options: Any,
) -> Outcome:
    """Go on with a study that was interrupted, or extend it to ``trials`` in all.

    Args:
        name: the study's.
        results_dir: the folder that holds one folder a study.
        settings: see ``run``.
        force: search differently from here on, or over other data.
        take_over: the driver on another host is known to be dead.
        options: see ``run``.

    Raises:
        SeqtuneError, ClusterError, NoFiniteResult, StudyFailed: see ``run``.
    """
    given = _options(options, settings)
    folder = open_study_dir(Path(results_dir).expanduser(), name)
    past = load_study(folder)
    spec, change = changed_study(past.state, given, force)
    plan = plan_session(spec, given, change, force, take_over)
    return _with_result(go_on(folder, plan, Interrupter(plan.time_budget), past))


def load(name: str, *, results_dir: str | Path = _RESULTS) -> StudyState:
    """Return a study's state from its files, whether or not a driver is at work.

    Raises:
        StudyNotFound: there is none of that name.
        JournalDamaged: its journal is not what was written.
    """
    return load_state(open_study_dir(Path(results_dir).expanduser(), name))


def trials(name: str, *, results_dir: str | Path = _RESULTS) -> Any:
    """Return a study's trials in number order: a DataFrame, or a list of rows without pandas.

    A row is the object that ``seqtune trials NAME --format json`` prints. In a DataFrame each
    searched hyperparameter has a column of its own: ``params.NAME`` where a row has that name.

    Raises:
        StudyNotFound, JournalDamaged: see ``load``.
    """
    folder = open_study_dir(Path(results_dir).expanduser(), name)
    state, running = load_state(folder), folder.running_driver() is not None
    rows = [trial_row(trial, state, running, folder) for trial in state.trials]
    try:
        from pandas import DataFrame
    except ImportError:
        return rows
    columns = [
        {key: value for key, value in row.items() if key != "params"}
        | {
            key if key not in row else f"params.{key}": value
            for key, value in row["params"].items()
        }
        for row in rows
    ]
    return DataFrame(columns).set_index("number") if columns else DataFrame()


def _options(options: Mapping[str, Any], settings: Mapping[str, Any] | None) -> Options:
    """Options by name; a misspelt one is a TypeError, as in any call."""
    typed = tuple((key.split("."), value) for key, value in (settings or {}).items())
    return Options(**options, settings=typed)


def _with_result(outcome: Outcome) -> Outcome:
    over = outcome.reason == "finished" or outcome.exit_code == NoFiniteResult.exit_code
    if over and outcome.state.best() is None:
        finished = outcome.reason == "finished"
        raise NoFiniteResult(nothing_finite(outcome.state) if finished else outcome.reason)
    return outcome
