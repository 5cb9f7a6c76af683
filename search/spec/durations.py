"""Durations as people write them."""

import re

from search.errors import SpecError

#: Thirty years: a longer time is no limit.
_LONGEST_SECONDS = 1e9

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def parse_duration(text: str | float) -> float:
    """Return the seconds of ``90``, ``45s``, ``30m`` or ``1h30m``.

    Raises:
        SpecError: not a duration above zero.
    """
    found = _DURATION.fullmatch(str(text).strip())
    hours, minutes, seconds = (float(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + seconds
    if total <= 0:
        raise SpecError(f"{text!r} is no time: write 45s, 30m or 1h30m")
    return min(total, _LONGEST_SECONDS)
