"""The sections of a report, as data; ``search.report.markdown`` renders them.

A section is one function from what a report is about to a ``Section``, or None where there is
nothing to say; ``SECTIONS`` puts them in order. Every figure is recomputed from the journal,
but for those of ``final.json``.
"""

from collections.abc import Callable

from search.journal.epochs import Epoch
from search.journal.trial import Trial
from search.report.content import Code, Listing, Paragraph, Part, Section, Subject, Table
from search.report.early_stopping import audit_section
from search.report.final import final_section
from search.report.outlook import outlook_section
from search.report.rows import count_states, failure_causes, trial_state
from search.report.tables import short
from search.spec.study import to_toml
from trainables.tasks.class_metrics import confused_classes

_TOP = 10


def report_sections(subject: Subject) -> list[Section]:
    """Return the whole report."""
    made = (section(subject) for section in SECTIONS)
    return [section for section in made if section is not None]


def _headline(subject: Subject) -> Section:
    state = subject.state
    counts = short(count_states(state, subject.running)) or "none begun"
    text = (
        f"{state.trials.ended} of {state.total} trials ended ({counts}); "
        f"metric `{state.objective.metric}`, {state.objective.mode} is better."
    )
    parts = [Paragraph(text)]
    for former in state.former:
        said = (
            f"It began with what {len(former.trials)} trials of study `{former.study}` had shown."
        )
        parts.append(Paragraph(said))
    return Section(f"Study `{subject.folder.name}`", tuple(parts))


def _best_trial(subject: Subject) -> Section:
    best = subject.state.best()
    if best is None:
        return Section("Best trial", (Paragraph("No trial has a finite result."),))
    trial, epoch = best
    plain = {k: v for k, v in epoch.metrics.items() if not _confused(k)}
    metrics = ", ".join(f"{name} {short(value)}" for name, value in plain.items())
    path = epoch.checkpoint.path
    there = (subject.folder.root / path).exists()
    weights = f"weights in `{path}`" if there else "its weights are not kept"
    return Section(
        "Best trial",
        (
            Paragraph(
                f"Trial {trial.number} at epoch {epoch.epoch}: {metrics}. "
                f"Chosen by `{trial.origin}`; {weights}."
            ),
            Paragraph(
                "The best of many validation scores is optimistic: it was chosen for being high."
            ),
            Table(("hyperparameter", "value"), tuple(trial.params.items())),
            *_confusion(epoch),
        ),
    )


def _confusion(epoch: Epoch) -> tuple[Part, ...]:
    """Return a table of true against predicted classes, if the task reports their counts."""
    counts = {pair: v for name, v in epoch.metrics.items() if (pair := _confused(name))}
    if not counts:
        return ()
    classes = list(dict.fromkeys(true for true, _ in counts))
    rows = tuple((true, *(counts.get((true, said)) for said in classes)) for true in classes)
    return (Table(("true \\ said", *classes), rows),)


def _confused(metric: str) -> tuple[str, str] | None:
    return confused_classes(metric.removeprefix("val/"))


def _ranking(subject: Subject) -> Section | None:
    state = subject.state

    def rank(trial: Trial) -> tuple[float, int]:
        assert trial.best_value is not None
        return state.objective.cost(trial.best_value), trial.number

    compared = [t for t in state.comparable_trials() if t.best_value is not None]
    ranked = sorted(compared, key=rank)[:_TOP]
    if not ranked:
        return None
    names = list(dict.fromkeys(name for trial in ranked for name in trial.params))
    head = ("trial", "state", state.objective.metric, "best epoch", "epochs", *names)
    rows = tuple(
        (
            trial.number,
            trial_state(trial, subject.running),
            trial.best_value,
            trial.best_epoch.epoch if trial.best_epoch else None,
            trial.epoch,
            *(trial.params.get(name) for name in names),
        )
        for trial in ranked
    )
    parts: list[Part] = [Table(head, rows)]
    others = len(state.trials) - len(state.comparable_trials())
    if others:
        parts.append(Paragraph(f"{others} trials over other data are not compared."))
    return Section(f"The best {len(ranked)}", tuple(parts))


def _failures(subject: Subject) -> Section | None:
    causes = failure_causes(subject.state)
    if not causes:
        return None
    items = (f"trials {', '.join(map(str, numbers))}: {cause}" for cause, numbers in causes.items())
    return Section("Failed trials", (Listing(tuple(items)),))


def _cost(subject: Subject) -> Section:
    trials = subject.state.trials
    epochs = sum(len(trial.epochs) for trial in trials)
    hours = sum(trial.epochs.total_seconds() for trial in trials) / 3600
    full = sum(trial.spec.stopping.max_epochs for trial in trials)
    where = {machine for trial in trials for machine in trial.epochs.machines()}
    machines = sorted({f"{host} ({n.device}, {n.processor})" for host, n in where})
    text = (
        f"{epochs} epochs in {hours:.2f} trial-hours; without early stopping the same trials "
        f"have {full} epochs. Trained on: {'; '.join(machines) or 'nothing yet'}."
    )
    return Section("Cost", (Paragraph(text),))


def _study_file(subject: Subject) -> Section:
    text = to_toml(subject.state.present_spec()).strip()
    return Section("Study file", (Code("toml", text),))


SECTIONS: tuple[Callable[[Subject], Section | None], ...] = (
    _headline,
    _best_trial,
    final_section,
    outlook_section,
    _ranking,
    _failures,
    _cost,
    audit_section,
    _study_file,
)
