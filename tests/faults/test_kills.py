"""Kill -9 of the driver at random moments, resumed each time until all trials have ended.

``SEQTUNE_KILLS`` sets how many kills over all searches: a few by default, 60 in make test-faults.
"""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress

import psutil
import pytest

from search.journal.events import AttemptStarted, EpochDone
from search.journal.load import load_state
from search.journal.state import replay
from search.policy.samplers.optuna_adapter import OptunaSampler
from search.policy.samplers.registry import SAMPLERS
from tests.cli_sandbox import Sandbox, family, whole_lines
from trainables.attempts.messages import Report

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("SEQTUNE_KILLS", "2"))
KILLS_PER_SEARCH = 10


def moment(place: Sandbox, process: subprocess.Popen[str], rng: random.Random) -> float:
    """Seconds from now: half of the kills come during start-up or resume, half in the midst of the
    search, however slow the machine is."""
    if rng.random() < 0.5:
        return rng.uniform(0.2, 8.0)
    before = len(place.journal())
    while len(place.journal()) == before and process.poll() is None:
        time.sleep(0.05)
    return rng.uniform(0.0, 6.0)


def killed(process: subprocess.Popen[str], seconds: float, orphans: list[psutil.Process]) -> bool:
    """Kills the driver after a while; False if it ended before."""
    try:
        process.communicate(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        orphans += family(process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True


def command(place: Sandbox, total: int) -> list[str]:
    """Begins the study, or goes on with it if an earlier driver came far enough."""
    name = ["resume", "small"] if place.study.exists() else ["run", "small.toml"]
    return [*name, "--max-concurrent", "2", "--trials", str(total)]


def judge(place: Sandbox, before: bytes) -> None:
    """Invariants 1 and 2 after a kill: the journal grew, replays, and nothing is told twice."""
    assert place.journal().startswith(whole_lines(before))
    if not place.study.exists():
        return
    events = place.events()
    state = replay(events)
    sampler = SAMPLERS[state.spec.search.sampler]()
    assert isinstance(sampler, OptunaSampler)
    assert len(sampler.history(state).trials()) == len(state.trials)
    for rung, costs in state.rungs.costs.items():
        epochs = [e for e in events if isinstance(e, EpochDone) and e.epoch == rung]
        done = [e for e in epochs if state.trials[e.trial].state != "failed"]
        assert costs == sorted(state.objective.cost(e.value) for e in done if e.value is not None)
    loaded = load_state(place.study)  # through the snapshot that the killed driver has left
    assert (loaded.trials, loaded.rungs, loaded.best()) == (
        *(state.trials, state.rungs, state.best()),
    )
    for index, event in enumerate(events):  # an attempt goes on where the journal stood
        if isinstance(event, AttemptStarted):
            done = [e for e in events[:index] if isinstance(e, EpochDone)]
            assert event.from_epoch == sum(e.trial == event.trial for e in done)


@pytest.mark.timeout(60 * 60)
@pytest.mark.parametrize("search", range(-(-KILLS // KILLS_PER_SEARCH)))
def test_killed_at_random_moments(tmp_path, tables, search):
    tables["stopping"]["max_epochs"] = 30
    place, rng = Sandbox(tmp_path, tables), random.Random(search)
    wanted = min(KILLS_PER_SEARCH, KILLS - search * KILLS_PER_SEARCH)
    kills, total = 0, 6
    orphans: list[psutil.Process] = []
    while kills < wanted:
        before = place.journal()
        process = place.start(*command(place, total))
        if killed(process, moment(place, process, rng), orphans):
            kills += 1
        else:
            assert process.returncode == 0
            total += 6  # it ended before the kill: extend it and go on
        judge(place, before)
    place.run(*command(place, total))
    place.check(total)
    _, alive = psutil.wait_procs(orphans, timeout=120)
    assert not alive, "a process outlived its driver by two minutes"


def test_no_more_than_the_epoch_under_way_is_repeated(tmp_path, tables):
    """Though epochs are so quick that ten come in a message; trial and driver die together."""
    tables["stopping"] |= {"max_epochs": 300, "grace_epochs": 300}
    place = Sandbox(tmp_path, tables)
    process = place.start(*command(place, 1))
    unreported = place.study.root / place.study.unreported(0, 1)
    while not unreported.exists() or unreported.read_bytes().count(b"\n") < 2:  # on a busy host
        assert process.poll() is None, "no epoch waited for another"
        time.sleep(0.001)
    everybody = family(process, "ray::") + family(process)
    process.send_signal(signal.SIGSTOP)  # else it may see the trial die and begin it anew
    for one in everybody:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.kill()
    process.communicate()
    psutil.wait_procs(everybody, timeout=60)
    waited = Report.model_validate_json(whole_lines(unreported.read_bytes()).splitlines()[-1]).epoch
    stored = max(int(path.stem[-3:]) for path in unreported.parent.glob("*.safetensors"))
    place.run("resume", "small")
    place.check(1)
    first, second = (e for e in place.events() if isinstance(e, AttemptStarted))
    assert first.from_epoch == 0 and second.from_epoch >= max(waited, stored - 1)
