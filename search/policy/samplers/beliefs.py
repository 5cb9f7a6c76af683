"""What a study's journal and space say before its first trial, as its sampler takes it."""

from search.journal.state import StudyState
from search.policy.samplers.epoch_aware.beliefs import Beliefs, Former
from search.spec.space import centres


def beliefs_of(state: StudyState) -> Beliefs:
    """Return what is believed of a study's space before its first trial."""
    searches = [[Former(t.params, t.score) for t in former.trials] for former in state.former]
    return Beliefs(searches, centres(state.space), after=len(state.spec.first))
