"""How a search stands, and what is wrong with it, in sentences: the journal's figures in words."""

from search.journal.events import Finding
from search.journal.state import StudyState
from search.report.content import Listing, Paragraph, Part, Section, Subject


def outlook_sentences(state: StudyState) -> list[str]:
    """Return who leads apart from luck, and what is left to be gained; none while that is not
    known."""
    said = state.outlook
    if said is None:
        return []
    said_of = [
        f"leader: trial {said.leader}'s configuration, {state.objective.metric} "
        f"{said.mean:.4f} ± {said.se:.4f} on average over seeds; the chance that it is truly the "
        f"best of those tried is {said.chance:.0%}"
    ]
    if state.concluded is not None:
        said_of.append(f"the search was ended: {state.concluded}")
    elif said.left:
        said_of.append(
            f"{said.left} more trials may add {said.gain:.4f} "
            f"({said.gain_low:.4f} to {said.gain_high:.4f})"
        )
    return said_of


def health_sentences(state: StudyState) -> list[str]:
    """Return what is wrong with a search, each with what to change."""
    found = state.outlook.findings if state.outlook else []
    return [_SENTENCES[finding.kind](finding) for finding in found]


def sentences(state: StudyState) -> list[str]:
    """Return all that a status says beside the counts."""
    return [*outlook_sentences(state), *(f"note: {said}" for said in health_sentences(state))]


def outlook_section(subject: Subject) -> Section | None:
    """Return how the search stood when that was last reckoned."""
    state = subject.state
    said = state.outlook
    if said is None:
        return None
    told = outlook_sentences(state)
    text = ". ".join(sentence[0].upper() + sentence[1:] for sentence in told)
    parts: list[Part] = [Paragraph(f"{text}. (After {said.ended} ended trials.)")]
    health = health_sentences(state)
    if health:
        parts.append(Listing(tuple(health)))
    return Section("Apart from luck", tuple(parts))


def _edge(finding: Finding) -> str:
    end = "lower" if finding.end == "low" else "upper"
    return (
        f"{finding.name}: the best trials lie at the {end} end of its range, {finding.value:g}: "
        "widen it there in a new study"
    )


def _no_effect(finding: Finding) -> str:
    return (
        f"{finding.name}: hardly any effect is seen ({finding.value:.1%} of what is "
        "explained): fix it ([fixed]), which leaves more trials for the others"
    )


def _no_gain(finding: Finding) -> str:
    return (
        f"no gain over the first configuration beyond chance, {finding.value:+.4f} ± "
        f"{finding.other:.4f}: ask for more trials, search other hyperparameters, or tell luck "
        "from merit with search.replicates"
    )


def _harsh(finding: Finding) -> str:
    if finding.end == "audited":
        why = f"{finding.value:.0%} of the audited losers beat the winner"
    else:
        why = (
            "of those that went to the end, who led at the first rung did worse (rank correlation "
            f"{finding.value:.2f} over {finding.other:.0f} trials)"
        )
    return f"halving is too harsh: {why}: raise stopping.grace_epochs"


def _mild(finding: Finding) -> str:
    return (
        f"halving is mild: {finding.value:.0%} of the trials pass the first rung: raise "
        "stopping.reduction_factor, or lower grace_epochs"
    )


def _alike(finding: Finding) -> str:
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
