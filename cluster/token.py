"""Ray's authentication token, made for this user's eyes alone."""

import os
import secrets
from pathlib import Path

from cluster.errors import ClusterError


def ensure_token() -> None:
    """Make the token file before Ray does: Ray leaves it readable to everybody.

    A token given in ``RAY_AUTH_TOKEN`` or ``RAY_AUTH_TOKEN_PATH`` is left to Ray.

    Raises:
        ClusterError: it cannot be written.
    """
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    path = Path.home() / ".ray" / "auth_token"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(path)
    except OSError as error:
        raise ClusterError(
            f"cannot keep Ray's token in {path}: {error.strerror}; set HOME to a folder that can "
            "be written, or RAY_AUTH_TOKEN to 32 letters of your own"
        ) from error


def _make(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        path.chmod(0o600)
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
