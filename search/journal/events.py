"""Every kind of line in the journal. A study's state is a fold over these events, in order."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from trainables.attempts.messages import Numerics
from trainables.core.hyperparameters import Declaration

#: The journal's version. Another one is refused by its number. Another default is another version:
#: a line leaves out what is as by default.
FORMAT = 7

Decision = Literal["continue", "pause", "stop", "complete", "fail"]
EndState = Literal["completed", "pruned", "failed"]
#: How a trial ends by the decision on its last epoch.
ENDS: dict[Decision, EndState] = {"stop": "pruned", "complete": "completed", "fail": "failed"}
FailureKind = Literal["lost", "hung", "memory", "exception"]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StudyCreated(_Event):
    """The first line: what is searched, resolved in full.

    Attributes:
        spec: the tables of the study file.
        hyperparameters: what the task declares of each, so that readers need not import the task.
        data: the digest of the prepared data.
    """

    event: Literal["study"] = "study"
    format: int
    name: str
    spec: dict[str, Any]
    hyperparameters: dict[str, Declaration]
    data: str
    seqtune: str


class SessionStarted(_Event):
    """A driver took the study up; trials that were running wait again.

    Attributes:
        code: a digest of each source file that trains, by its path.
        inputs: what trials start from beside the data, word vectors for instance, each with what
            identifies it.
    """

    event: Literal["session"] = "session"
    pid: int
    host: str
    total: int
    resources: dict[str, Any]
    versions: dict[str, str]
    code: dict[str, str]
    inputs: dict[str, str] = {}


class SessionEnded(_Event):
    """A driver left of its own accord."""

    event: Literal["session_end"] = "session_end"
    reason: str


class SpecChanged(_Event):
    """The study goes on differently; holds for trials created from here on.

    Over other ``data``, earlier trials are kept and no longer compared. With another metric,
    earlier epochs are valued anew from the metrics they have.
    """

    event: Literal["changed"] = "changed"
    spec: dict[str, Any]
    hyperparameters: dict[str, Declaration]
    data: str
    changes: list[str]


class FormerTrial(BaseModel):
    """A trial of another study, as far as its configuration fits this one's space.

    Attributes:
        score: where it stood among all of its study, as a normal score: more is better.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    params: dict[str, Any]
    score: float


class WarmStarted(_Event):
    """What was taken from a former study when this one was created."""

    event: Literal["warm_start"] = "warm_start"
    study: str
    trials: list[FormerTrial]


class SearchConcluded(_Event):
    """The search has nothing left to find: no trials are made beyond ``total``."""

    event: Literal["concluded"] = "concluded"
    total: int
    reason: str


class Finding(BaseModel):
    """Something that is wrong with a search.

    Attributes:
        kind: ``edge``: the best lie at an ``end`` of a range, at ``value``; ``no_effect``: a
            hyperparameter explains a share ``value``; ``no_gain``: over the first configuration,
            ``value`` with an error of ``other``; ``harsh`` and ``mild``: halving; ``alike``: the
            configurations explain a share ``value``.
        name: the hyperparameter.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["edge", "no_effect", "no_gain", "harsh", "mild", "alike"]
    name: str | None = None
    end: str | None = None
    value: float
    other: float | None = None


class OutlookTaken(_Event):
    """How the search stands, told from luck, when so many trials had ``ended``.

    Attributes:
        leader: the trial that had the configuration first whose estimated mean is the best, of
            those trained to their ends.
        mean, se: of that configuration's value over seeds, and its standard error.
        chance: that it is the best of all tried.
        left: trials that were still to be made.
        gain, gain_low, gain_high: what they may gain on the mean, expected and as a 95 % interval.
        findings: what is wrong with the search.
    """

    event: Literal["outlook"] = "outlook"
    ended: int
    leader: int
    mean: float
    se: float
    chance: float
    left: int
    gain: float
    gain_low: float
    gain_high: float
    findings: list[Finding] = []


class TrialCreated(_Event):
    """A new configuration, or one that was tried before.

    Attributes:
        repeats: the trial whose configuration this one has too; its seed is another.
        attributes: what the sampler noted of it for itself.
    """

    event: Literal["trial"] = "trial"
    trial: int
    params: dict[str, Any]
    origin: str
    repeats: int | None = None
    attributes: dict[str, Any] = {}


class AttemptStarted(_Event):
    """A trial was handed to Ray, to go on after ``from_epoch``."""

    event: Literal["attempt"] = "attempt"
    trial: int
    attempt: int
    from_epoch: int


class EpochDone(_Event):
    """An acknowledged epoch and the decision on it.

    Attributes:
        value: the study's metric, None if any metric is not finite.
        digest: SHA-256 of the checkpoint's bytes; its path follows from the numbers.
        host, numerics: None where they are as in the trial's epoch before.
        audited: the trial lost here, and is trained to its end all the same.
    """

    event: Literal["epoch"] = "epoch"
    trial: int
    attempt: int
    epoch: int
    value: float | None
    metrics: dict[str, float | None]
    seconds: float
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    host: str | None = None
    numerics: Numerics | None = None
    decision: Decision = "continue"
    audited: bool = False
    reason: str | None = None


class TrialRestored(_Event):
    """The newest checkpoint was unusable; the attempt went on from ``epoch``, unreported."""

    event: Literal["restored"] = "restored"
    trial: int
    attempt: int
    epoch: int
    reason: str


class TrialMoved(_Event):
    """A trial goes on where its results may differ in the last bits."""

    event: Literal["moved"] = "moved"
    trial: int
    attempt: int
    before: str
    after: str


class AttemptFailed(_Event):
    """An attempt ended without a report; ``cause`` is one line, ``detail`` the traceback."""

    event: Literal["failure"] = "failure"
    trial: int
    attempt: int
    kind: FailureKind
    cause: str
    detail: str


class TrialEnded(_Event):
    """Nothing more will come of this trial."""

    event: Literal["end"] = "end"
    trial: int
    state: EndState
    reason: str | None = None


Event = Annotated[
    StudyCreated
    | SessionStarted
    | SessionEnded
    | SpecChanged
    | WarmStarted
    | OutlookTaken
    | SearchConcluded
    | TrialCreated
    | AttemptStarted
    | EpochDone
    | TrialRestored
    | TrialMoved
    | AttemptFailed
    | TrialEnded,
    Field(discriminator="event"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
