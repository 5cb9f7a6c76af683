"""Durations as people write them."""

import re

from search.errors import SpecError

#: Thirty years: a longer time is no limit.
_LONGEST_SECONDS = 1e9

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)(s)?)?")


def parse_duration(text: str | float) -> float:
    """Return the seconds of ``90``, ``45s``, ``30m`` or ``1h30m``.

    A last number without a unit is of the unit below the one before it: ``1h30`` is ``1h30m``.

    Raises:
        SpecError: not a duration above zero.
    """
    found = _DURATION.fullmatch(str(text).strip())
    hours, minutes, last, unit = found.groups() if found else (None, None, None, None)
    bare_minutes = bool(hours) and not minutes and not unit
    total = float(hours or 0) * 3600 + float(minutes or 0) * 60
    total += float(last or 0) * (60 if bare_minutes else 1)
    if total <= 0:
        raise SpecError(f"{text!r} is no time: write 45s, 30m or 1h30m")
    return min(total, _LONGEST_SECONDS)
