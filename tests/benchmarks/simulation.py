"""A search as this product runs it, over a landscape instead of a training.

Recorder, sampler, rungs and journal are the product's own; only the clock and the training are
simulated. Reported is what the landscape says, without the noise, of the trial that leads: luck
counts for nothing.
"""

import heapq
import math
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from landscapes.base import Curve, Landscape
from studies import NUMERICS, prepared

from search.driver.recorder import StudyRecorder
from search.journal.events import FORMAT, OutlookTaken, SessionStarted, StudyCreated
from search.journal.folder import StudyDir
from search.journal.journal import Journal
from search.journal.state import StudyState, replay
from search.policy.outlook import take_outlook
from search.policy.samplers.optuna_adapter import to_distributions
from search.policy.seeds import derive_seed
from search.spec.space import parse_space
from search.spec.study import ResourcesSpec
from trainables.attempts.messages import Assignment, Checkpoint, Report

#: Full trainings a worker that a search has time for.
HORIZON = 2.0

#: When the leader is looked at, as shares of the time.
MARKS = (0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Setting:
    """One search to simulate.

    Attributes:
        stopping: what the study's ``[stopping]`` says beside the landscape's own.
    """

    sampler: str
    workers: int
    seed: int
    stopping: dict[str, Any] = field(default_factory=dict)
    horizon: float = HORIZON


def simulate(landscape: Landscape, setting: Setting) -> list[float]:
    """Return the regret of the leading trial at each of ``MARKS``."""
    with tempfile.TemporaryDirectory(dir=_fast_disk()) as place:
        return _Simulation(landscape, setting, Path(place)).run()


def foretell(landscape: Landscape, setting: Setting) -> list[dict[str, float]]:
    """Return what a search foretells of itself after a quarter and half of its time, as gains on
    the landscape's scale, and what came."""
    with tempfile.TemporaryDirectory(dir=_fast_disk()) as place:
        before = _Simulation(landscape, setting, Path(place))
        before.run()
    with tempfile.TemporaryDirectory(dir=_fast_disk()) as place:
        return _Simulation(landscape, setting, Path(place)).foretell(before.made)


def _fast_disk() -> str | None:
    """Memory where there is a disk of it: a simulation has nothing to lose."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


class _Simulation:
    """One search, and a clock."""

    def __init__(self, landscape: Landscape, setting: Setting, place: Path) -> None:
        self._landscape, self._setting = landscape, setting
        self._study, self._state = _new_study(landscape, setting, place)
        self._curves: dict[int, Curve] = {}
        self._due: list[tuple[float, int, Assignment]] = []

    def run(self) -> list[float]:
        """Search until the time is over."""
        for _ in range(self._setting.workers):
            self._start(0.0)
        end = self._setting.horizon * self._landscape.scale.seconds
        found: list[float] = []
        while len(found) < len(MARKS):
            now, number, work = heapq.heappop(self._due)
            while len(found) < len(MARKS) and now > end * MARKS[len(found)]:
                found.append(self._regret())
            if self._study.report([self._report(work)]):
                heapq.heappush(self._due, (now + self._curves[number].seconds, number, work))
            else:
                self._start(now)
        return found

    def foretell(self, total: int) -> list[dict[str, float]]:
        """Return what is foretold where regrets are taken, and what came by the end."""
        taken = list[tuple[OutlookTaken, float, bool]]()

        def take() -> float:
            self._state.total, before = total, self._state.total
            outlook = take_outlook(self._state)
            self._state.total = before
            if outlook is not None:
                best = self._state.best()
                assert best is not None
                beside = self._truth(best.trial.number) - self._truth(outlook.leader)
                tried = max(self._truth(number) for number in self._curves)
                taken.append((outlook, beside, self._truth(outlook.leader) >= tried))
            return 0.0

        self._regret = take  # type: ignore[method-assign]
        self.run()
        last = taken[-1][0] if taken and taken[-1][0].left == 0 else None
        if last is None:
            return []
        return [self._compared(*then, last) for then in taken[:-1]]

    def _compared(
        self, then: OutlookTaken, beside: float, is_best: bool, last: OutlookTaken
    ) -> dict[str, float]:
        leader = self._truth(then.leader)
        came = self._truth(last.leader) - leader
        top, middle, _ = self._landscape.scale
        sign = 1.0 if top > middle else -1.0
        slack = 1e-9 + 0.02 * abs(top - middle)
        return {
            "gain": then.gain / abs(top - middle),
            "came": came / abs(top - middle),
            "covered": float(then.gain_low - slack <= came <= then.gain_high + slack),
            "leader_covered": float(abs(sign * then.mean - leader) <= 2 * then.se + slack),
            "chance": then.chance,
            "leader_best": float(is_best),
            "beside": beside / abs(top - middle),
        }

    @property
    def made(self) -> int:
        """How many trials were made."""
        return len(self._state.trials)

    def _truth(self, number: int) -> float:
        """Return a configuration's value at its best epoch, more is better."""
        curve = self._curves[number].mean_E
        return float(curve.max() if self._landscape.problem.mode == "max" else -curve.min())

    def _start(self, now: float) -> None:
        work = self._study.next()
        assert isinstance(work, Assignment)
        number = work.number
        if number not in self._curves:
            seed = derive_seed(self._setting.seed, "trial", number)
            self._curves[number] = self._landscape.curve(self._state.trials[number].params, seed)
        heapq.heappush(self._due, (now + self._curves[number].seconds, number, work))

    def _report(self, work: Assignment) -> Report:
        epoch = self._state.trials[work.number].epoch + 1
        curve = self._curves[work.number]
        value = float(curve.seen_E[epoch - 1])
        return Report(
            number=work.number,
            attempt=work.attempt,
            epoch=epoch,
            metrics={self._landscape.problem.metric: value if math.isfinite(value) else None},
            seconds=curve.seconds,
            checkpoint=Checkpoint(epoch=epoch, path="checkpoint", digest="d" * 64),
            host="h",
            numerics=NUMERICS,
        )

    def _regret(self) -> float:
        """Return how far the leader is from the best there is, on the landscape's scale."""
        top, middle, _ = self._landscape.scale
        best = self._state.best()
        if best is None:
            return 1.0
        value = float(self._curves[best.trial.number].mean_E[best.epoch.epoch - 1])
        return (top - value) / (top - middle)


def _new_study(
    landscape: Landscape, setting: Setting, place: Path
) -> tuple[StudyRecorder, StudyState]:
    spec = landscape.problem.study(setting.sampler, setting.seed)
    stopping = spec.stopping.model_copy(update=setting.stopping)
    spec = spec.model_copy(update={"stopping": stopping})
    first = StudyCreated(
        format=FORMAT,
        name=spec.name,
        spec=spec.tables(),
        hyperparameters=landscape.problem.declarations,
        data="k",
        seqtune="0",
    )
    folder = StudyDir(place)
    journal = Journal(folder.journal)
    journal.append(first)
    state = replay([first])
    study = StudyRecorder(folder, journal, state, prepared(place), outlook=lambda state: None)
    session = SessionStarted(pid=1, host="h", total=1_000_000, resources={}, versions={}, code={})
    study.begin(session, ResourcesSpec())
    (place / "checkpoint").touch()
    return study, state


def keep_the_best(landscape: Landscape, setting: Setting) -> list[float]:
    """Return the regrets of the simplest way (Egele et al. 2023, arXiv 2307.15422).

    Train random configurations to the first rung for half of the time, then the best of them, one a
    worker, to their ends.
    """
    spec = landscape.problem.study("random", setting.seed)
    space = to_distributions(parse_space(spec.space, landscape.problem.declarations))
    drawn = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=setting.seed))
    end = setting.horizon * landscape.scale.seconds
    free = [0.0] * setting.workers
    trials = list[tuple[float, Curve, float]]()
    grace, sign = spec.stopping.grace_epochs, spec.objective.cost(1.0)
    while min(free) < end / 2:
        now = heapq.heappop(free)
        seed = derive_seed(setting.seed, "trial", len(trials))
        curve = landscape.curve(drawn.ask(space).params, seed)
        trials.append((sign * curve.seen_E[grace - 1], curve, now + grace * curve.seconds))
        heapq.heappush(free, trials[-1][2])
    seen = [
        (done - back * curve.seconds, curve, grace - 1 - back)
        for _, curve, done in trials
        for back in range(grace)
    ]
    for _, curve, _ in sorted(trials, key=lambda trial: trial[0])[: setting.workers]:
        now = heapq.heappop(free)
        epochs = range(grace, spec.stopping.max_epochs)
        seen += [(now + (epoch - grace + 1) * curve.seconds, curve, epoch) for epoch in epochs]
        heapq.heappush(free, seen[-1][0])
    return [_regret_of(landscape, [s for s in seen if s[0] <= mark * end]) for mark in MARKS]


def _regret_of(landscape: Landscape, seen: list[tuple[float, Curve, int]]) -> float:
    top, middle, _ = landscape.scale
    if not seen:
        return 1.0
    sign = 1.0 if landscape.problem.mode == "min" else -1.0
    _, curve, epoch = min(seen, key=lambda found: sign * found[1].seen_E[found[2]])
    return (top - float(curve.mean_E[epoch])) / (top - middle)
