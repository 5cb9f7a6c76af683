"""What Ray Tune itself asks of the driver for a result; a part of ``overhead.py``, in a process of
its own.

``python tests/benchmarks/bare_ray.py N``: two trials of ``N`` steps (100 or more) that sleep, no
logger, no snapshot, no searcher and nothing of ours. The last line has the driver's CPU seconds for
one more result.
"""

import json
import os
import sys
import tempfile
import time
from typing import Any

# What search/driver/ray_tune.py sets too.
os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = "1000000000"
os.environ["RAY_AIR_NEW_OUTPUT"] = "0"

import ray
from ray import tune

#: Of our own reports, and about as long as one of the idle trials' epochs.
REPORT_BYTES, STEP_SECONDS = 600, 0.015
FIRST = 50


class Sleeper(tune.Trainable):
    """Reports without training."""

    def setup(self, config: dict[str, Any]) -> None:
        self._said = "x" * REPORT_BYTES

    def step(self) -> dict[str, Any]:
        time.sleep(STEP_SECONDS)
        return {"report": self._said}


class Meter(tune.Callback):
    """The driver's CPU seconds at every result."""

    def __init__(self) -> None:
        self.spent: list[float] = []

    def on_trial_result(self, **info: Any) -> None:
        self.spent.append(time.process_time())


def main(steps: int) -> None:
    ray.init("local", num_cpus=2, logging_level="ERROR", include_dashboard=False)
    meter = Meter()
    with tempfile.TemporaryDirectory() as scratch:
        tune.Tuner(
            tune.with_resources(Sleeper, {"cpu": 1}),
            tune_config=tune.TuneConfig(num_samples=2, max_concurrent_trials=2, reuse_actors=True),
            run_config=tune.RunConfig(
                storage_path=scratch,
                stop={"training_iteration": steps},
                callbacks=[meter],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        ).fit()
    counted = meter.spent[FIRST : 2 * steps - 10]
    print(json.dumps({"seconds": (counted[-1] - counted[0]) / (len(counted) - 1)}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
