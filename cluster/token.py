"""Ray's authentication token, made for this user's eyes alone."""

import os
import secrets
from pathlib import Path


def ensure_token() -> None:
    """Make the token file before Ray does: Ray leaves it readable to everybody.

    A token given in ``RAY_AUTH_TOKEN`` or ``RAY_AUTH_TOKEN_PATH`` is left to Ray.
    """
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    path = Path.home() / ".ray" / "auth_token"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        path.chmod(0o600)
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
