"""The Markdown report; every figure in it is recomputed from the journal."""

from search.journal.events import EpochDone
from search.journal.folder import StudyDir
from search.journal.state import StudyState, Trial
from search.report.rows import count_states, failure_causes, short, trial_state
from search.spec.study import to_toml

_TOP = 10

#: How the metrics of a confusion matrix begin: ``val/confusion/TRUE as SAID``.
_CONFUSION = "val/confusion/"


def markdown_report(folder: StudyDir, state: StudyState, running: bool) -> str:
    """The whole report as text; ``running``: a driver is at work and will stay."""
    counts = short(count_states(state, running))
    parts = [
        f"# Study `{folder.name}`",
        f"{state.ended} of {state.total} trials ended ({counts or 'none begun'}); "
        f"metric `{state.spec.metric}`, {state.spec.mode} is better.",
        _best(state, folder),
        _ranking(state, running),
        _not_compared(state),
        _failures(state),
        _cost(state),
        "## Study file\n\n```toml\n" + to_toml(state.present_spec()).strip() + "\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _best(state: StudyState, folder: StudyDir) -> str:
    best = state.best()
    epoch = best.best_epoch(state.spec.mode) if best else None
    if best is None or epoch is None:
        return "## Best trial\n\nNo trial has a finite result."
    plain = {k: v for k, v in epoch.metrics.items() if not k.startswith(_CONFUSION)}
    metrics = ", ".join(f"{name} {short(value)}" for name, value in plain.items())
    path = epoch.checkpoint.path
    there = (folder.root / path).exists()
    weights = f"weights in `{path}`" if there else "its weights are not kept"
    rows = "\n".join(f"| {name} | {short(value)} |" for name, value in best.params.items())
    return (
        f"## Best trial\n\nTrial {best.number} at epoch {epoch.epoch}: {metrics}. "
        f"Chosen by `{best.origin}`; {weights}.\n\n"
        "The best of many validation scores is optimistic: it was chosen for being high.\n\n"
        f"| hyperparameter | value |\n| --- | --- |\n{rows}" + _confusion(epoch)
    )


def _confusion(epoch: EpochDone) -> str:
    """How many validation texts of each class were taken for which, if the task tells."""
    counts = {
        tuple(name.removeprefix(_CONFUSION).split(" as ", 1)): value
        for name, value in epoch.metrics.items()
        if name.startswith(_CONFUSION)
    }
    if not counts:
        return ""
    classes = list(dict.fromkeys(true for true, _ in counts))
    lines = ["| true \\ said | " + " | ".join(classes) + " |"]
    lines.append("| --- " * (len(classes) + 1) + "|")
    for true in classes:
        cells = [short(counts.get((true, said))) for said in classes]
        lines.append(f"| {true} | " + " | ".join(cells) + " |")
    return "\n\n" + "\n".join(lines)


def _ranking(state: StudyState, running: bool) -> str:
    mode = state.spec.mode

    def key(trial: Trial) -> tuple[float, int]:
        epoch = trial.best_epoch(mode)
        assert epoch is not None and epoch.value is not None
        return (-epoch.value if mode == "max" else epoch.value, trial.number)

    ranked = sorted((t for t in state.comparable_trials() if t.best_epoch(mode)), key=key)[:_TOP]
    if not ranked:
        return ""
    names = list(dict.fromkeys(name for trial in ranked for name in trial.params))
    head = ["trial", "state", state.spec.metric, "best epoch", "epochs", *names]
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    for trial in ranked:
        epoch = trial.best_epoch(mode)
        assert epoch is not None
        cells = [
            trial.number,
            trial_state(trial, running),
            short(epoch.value),
            epoch.epoch,
            trial.epoch,
        ]
        cells += [short(trial.params.get(name)) for name in names]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return f"## The best {len(ranked)}\n\n" + "\n".join(lines)


def _not_compared(state: StudyState) -> str:
    others = len(state.trials) - len(state.comparable_trials())
    return f"{others} trials over other data are not compared." if others else ""


def _failures(state: StudyState) -> str:
    causes = failure_causes(state)
    if not causes:
        return ""
    lines = [f"- trials {', '.join(map(str, ns))}: {cause}" for cause, ns in causes.items()]
    return "## Failed trials\n\n" + "\n".join(lines)


def _cost(state: StudyState) -> str:
    epochs = [epoch for trial in state.trials for epoch in trial.epochs]
    hours = sum(epoch.seconds for epoch in epochs) / 3600
    full = sum(trial.spec.stopping.max_epochs for trial in state.trials)
    machines = sorted({f"{e.host} ({e.device}, {e.processor})" for e in epochs})
    return (
        f"## Cost\n\n{len(epochs)} epochs in {hours:.2f} trial-hours; without early stopping the "
        f"same trials have {full} epochs. Trained on: {'; '.join(machines) or 'nothing yet'}."
    )
