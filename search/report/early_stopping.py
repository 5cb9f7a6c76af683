"""What early stopping has cost and saved, as the audited losers show it, and what other rules would
have."""

from itertools import product
from typing import Any

from search.journal.state import StudyState
from search.policy.audits import Audit, audit
from search.policy.replays import Replay, replay_stopping
from search.report.content import Paragraph, Part, Section, Subject, Table
from search.spec.study import StoppingSpec

#: A report replays a study of no more epochs, for it is written as a search ends, which must not
#: take long after Ctrl-C.
_MOST_EPOCHS = 3_000

#: What a report compares; a grace and a reduction factor each.
_OTHERS = tuple(product((1, 2, 4), (2, 3, 4)))


def audit_section(subject: Subject) -> Section | None:
    """Return what the audits say; None where none was made."""
    state = subject.state
    found = audit(state)
    if found is None:
        return None
    parts: list[Part] = [Paragraph(_in_words(found))]
    epochs = sum(trial.epoch for trial in state.trials)
    if epochs <= _MOST_EPOCHS:
        parts += [
            Paragraph(
                "What other rules would have done with these trials, met one after the other. "
                "Audited losers are known to their ends; others that a rule would have trained "
                "further are counted as unknown."
            ),
            _others(state, found),
        ]
    return Section("Early stopping, audited", tuple(parts))


def _in_words(found: Audit) -> str:
    low, high = found.interval
    better = len(found.better)
    beat = f"{better or 'none'} of them beat{'s' if better == 1 else ''} the winner"
    return (
        f"{len(found.audited)} trials that lost at a rung were trained to their ends: {beat}. "
        f"The chance that a stopped trial would have is {better / len(found.audited):.0%} "
        f"(95 % interval {low:.0%} to {high:.0%}). The audits took "
        f"{found.seconds_spent / 3600:.2f} hours; stopping the others saved about "
        f"{found.seconds_saved / 3600:.2f}."
    )


def _others(state: StudyState, found: Audit) -> Table:
    present = state.spec.stopping
    rules = [
        present.model_copy(update={"grace_epochs": grace, "reduction_factor": factor, "audit": 0.0})
        for grace, factor in _OTHERS
        if grace < present.max_epochs
    ]
    head = ("grace", "reduction", "trained to the end", "of the audited", "epochs", "unknown")
    rows = []
    for rule in rules:
        replayed = replay_stopping(state, rule)
        kept = len(set(replayed.completed) & set(found.audited))
        row = (rule.grace_epochs, rule.reduction_factor, len(replayed.completed), kept)
        rows.append((*row, sum(replayed.epochs.values()), len(replayed.unknown)))
    return Table(head, tuple(rows))


def replay_rows(state: StudyState, stopping: StoppingSpec) -> list[dict[str, Any]]:
    """Return the study's stopping as it was, and as it would have been."""
    was = state.spec.stopping.model_copy(update={"audit": 0.0})
    return [
        _row(state, said, replay_stopping(state, rule))
        for said, rule in (("as it was set", was), ("replayed", stopping))
    ]


def _row(state: StudyState, said: str, replayed: Replay) -> dict[str, Any]:
    best = replayed.best(state)
    return {
        "rule": said,
        "max_epochs": replayed.stopping.max_epochs,
        "grace_epochs": replayed.stopping.grace_epochs,
        "reduction_factor": replayed.stopping.reduction_factor,
        "losers": replayed.stopping.losers,
        "keep_paused": replayed.stopping.keep_paused,
        "trials": len(replayed.epochs),
        "completed": len(replayed.completed),
        "epochs": sum(replayed.epochs.values()),
        "hours": replayed.seconds / 3600,
        "unknown": len(replayed.unknown),
        "best": best[0] if best else None,
        "value": best[1] if best else None,
    }
