"""Seeds that follow from the study's own, so that nothing need be stored."""

import hashlib


def derive_seed(seed: int, *keys: int | str) -> int:
    """Return a 32-bit seed that depends on all of its arguments."""
    text = "/".join(map(str, (seed, *keys)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
