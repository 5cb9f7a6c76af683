"""The environment variables that Ray reads; they are set here and nowhere else.

Ray reads some when it is imported, some when it starts, and its workers inherit them all. They are
set before a search imports Ray. A notebook may have imported it already: then the two that Ray has
kept are read anew.
"""

import os
import sys

#: Set where the user has not decided otherwise, here and on every node that is started for a
#: search: a trial's working directory stays the study's, nothing is reported to anybody, and every
#: connection carries a token.
NODE_ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Ray starts a worker a core beforehand, and a trial takes none of them.
    "RAY_prestart_worker_first_driver": "0",
}

#: Set whatever the user has set, since a study relies on it: its journal takes the place of Ray's
#: loggers, snapshots and output, and it counts attempts itself, those that ended by preemption too.
_ALWAYS = {
    # One report a message: the study batches epochs itself, and answers each message.
    "TUNE_RESULT_BUFFER_LENGTH": "1",
    "TUNE_RESULT_BUFFER_MIN_TIME_S": "0",
    "TUNE_FORCE_TRIAL_CLEANUP_S": "600",
    "TUNE_MAX_PENDING_TRIALS_PG": "auto",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # or verbose=0 still prints a banner on stdout
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_TRAIN_COUNT_PREEMPTION_AS_FAILURE": "1",
}

#: Without it Ray turns 127.0.0.1 into the address that other machines see, and listens there.
_LOOPBACK_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


def prepare_environment(loopback_only: bool) -> None:
    """Set what Ray reads; ``loopback_only`` for a cluster of this machine alone."""
    os.environ.update({key: os.environ.get(key, value) for key, value in NODE_ENVIRONMENT.items()})
    os.environ.update(_ALWAYS)
    if loopback_only:
        os.environ.update(_LOOPBACK_ONLY)
    if "ray" in sys.modules:
        _read_anew(loopback_only)


def _read_anew(loopback_only: bool) -> None:
    """Make an imported Ray see the authentication mode, and listen on loopback only if asked."""
    from ray._private import ray_constants
    from ray._raylet import Config  # type: ignore[attr-defined]

    Config.initialize("")  # as Ray does itself when it turns authentication on
    if loopback_only:
        ray_constants.ENABLE_RAY_CLUSTER = False
