"""How a search stands, and what is wrong with it, in sentences: the journal's figures in words."""

from search.journal.events import Finding
from search.journal.state import StudyState
from search.report.content import Listing, Paragraph, Part, Section, Subject
from search.report.tables import chance, figure

#: Trials that must have ended before anything is said of values that are all the same.
_SOME = 15

#: A study that has begun keeps its stopping, unless somebody insists.
_ANOTHER_STOPPING = "(in a new study, or with `resume NAME --force --set stopping.KEY=VALUE`)"


def outlook_sentences(state: StudyState) -> list[str]:
    """Return who leads apart from luck, and what is left to be gained; none while that is not
    known."""
    said = state.outlook
    if said is None:
        return []
    mean, se, gain, low, high = (
        figure(one, max(abs(said.mean), said.se))
        for one in (said.mean, said.se, said.gain, said.gain_low, said.gain_high)
    )
    said_of = [
        f"leader: trial {said.leader}'s configuration, {state.objective.metric} {mean} ± {se} on "
        "average over seeds; the chance that it is truly the best of those tried is "
        f"{chance(said.chance)}"
    ]
    if state.concluded is not None:
        said_of.append(f"the search was ended: {state.concluded}")
    elif said.left:
        said_of.append(f"{said.left} more trials may gain {gain} ({low} to {high})")
    return said_of


def health_sentences(state: StudyState) -> list[str]:
    """Return what is wrong with a search, each with what to change."""
    if state.outlook is None:
        return _one_value(state)
    return [_SENTENCES[finding.kind](finding, state) for finding in state.outlook.findings]


def _one_value(state: StudyState) -> list[str]:
    """Return what is to be said where every trial came to the same: no model has anything to tell
    them apart by, so there is no outlook."""
    ended = [
        trial.best_value
        for trial in state.comparable_trials()
        if trial.state in ("completed", "pruned") and trial.best_value is not None
    ]
    if len(ended) < _SOME or len(set(ended)) > 1:
        return []
    value = figure(ended[0], abs(ended[0]))
    return [
        f"all {len(ended)} trials that ended came to {state.objective.metric} {value}, whatever "
        "their configuration: look at the labels and the metric, or search wider ranges"
    ]


def sentences(state: StudyState) -> list[str]:
    """Return all that a status says beside the counts."""
    return [*outlook_sentences(state), *(f"note: {said}" for said in health_sentences(state))]


def outlook_section(subject: Subject) -> Section | None:
    """Return how the search stood when that was last reckoned."""
    state = subject.state
    said, health = state.outlook, health_sentences(state)
    parts: list[Part] = []
    if said is not None:
        told = outlook_sentences(state)
        text = ". ".join(sentence[0].upper() + sentence[1:] for sentence in told)
        parts.append(Paragraph(f"{text}. (After {said.ended} ended trials.)"))
    if health:
        parts.append(Listing(tuple(health)))
    return Section("Apart from luck", tuple(parts)) if parts else None


def _edge(finding: Finding, state: StudyState) -> str:
    end = "lower" if finding.end == "low" else "upper"
    return (
        f"{finding.name}: the best trials lie at the {end} end of its range, {finding.value:g}: "
        "widen it there in a new study"
    )


def _no_effect(finding: Finding, state: StudyState) -> str:
    return (
        f"{finding.name}: hardly any effect is seen ({finding.value:.1%} of what is "
        "explained): fix it ([fixed]), which leaves more trials for the others"
    )


def _no_gain(finding: Finding, state: StudyState) -> str:
    if state.outlook is not None and state.outlook.leader == 0:
        return (
            "nothing better than the first configuration was found: ask for more trials, or search "
            "other hyperparameters"
        )
    scale = abs(state.outlook.mean) if state.outlook else None
    gain, error = figure(finding.value, scale, "+"), figure(finding.other or 0.0, scale)
    return (
        f"no gain over the first configuration beyond chance, {gain} ± {error}: ask for more "
        "trials, search other hyperparameters, or tell luck from merit with search.replicates"
    )


def _harsh(finding: Finding, state: StudyState) -> str:
    if finding.end == "audited":
        why = f"{finding.value:.0%} of the audited losers beat the winner"
    else:
        why = (
            "of those that went to the end, who led at the first rung did worse (rank correlation "
            f"{finding.value:.2f} over {finding.other:.0f} trials)"
        )
    return f"halving is too harsh: {why}: raise stopping.grace_epochs {_ANOTHER_STOPPING}"


def _mild(finding: Finding, state: StudyState) -> str:
    lower = ", or lower stopping.grace_epochs" if state.spec.stopping.grace_epochs > 1 else ""
    return (
        f"halving is mild: {finding.value:.0%} of the trials pass the first rung: raise "
        f"stopping.reduction_factor{lower} {_ANOTHER_STOPPING}"
    )


def _alike(finding: Finding, state: StudyState) -> str:
    return (
        f"the trials are alike but for chance: their configurations explain {finding.value:.0%} of "
        "what tells them apart: search wider ranges, or other hyperparameters"
    )


_SENTENCES = {
    "edge": _edge,
    "no_effect": _no_effect,
    "no_gain": _no_gain,
    "harsh": _harsh,
    "mild": _mild,
    "alike": _alike,
}
