"""Names that are safe as one folder's name."""

import re

from search.errors import SpecError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_name(name: str) -> str:
    """Return the name of a study if it is safe.

    Raises:
        SpecError: empty, too long, or with anything but letters, digits, ``.``, ``_`` and ``-``.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise SpecError(
            f"study name {name!r}: use up to 100 letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit, without '..'"
        )
    return name
