"""Whether our packages are ours: their names are common, and others are published under them."""

import importlib.metadata
import importlib.util
from collections.abc import Sequence
from pathlib import Path

#: The distribution that our packages come with.
DISTRIBUTION = "seqtune"


def foreign_packages(names: Sequence[str]) -> list[str]:
    """Return a line for each of these packages that is not ours, or not ours alone."""
    owners = importlib.metadata.packages_distributions()
    lines = []
    for name in names:
        others = [owner for owner in owners.get(name, ()) if owner != DISTRIBUTION]
        if others:
            lines.append(
                f"package {name!r}: {', '.join(sorted(set(others)))} has been installed over it: "
                f"pip uninstall {others[0]}, then pip install --force-reinstall --no-deps "
                f"{DISTRIBUTION}"
            )
    return lines or misplaced(names)


def misplaced(names: Sequence[str]) -> list[str]:
    """Return a line for each package that lies elsewhere than the others: it hides ours."""
    here = Path(__file__).parents[2]
    lines = []
    for name in names:
        spec = importlib.util.find_spec(name)
        place = Path(spec.origin).parents[1] if spec and spec.origin else None
        if place is None:
            lines.append(
                f"package {name!r} has lost its first file, as when another of that name is "
                f"removed: pip install --force-reinstall --no-deps {DISTRIBUTION}"
            )
        elif place != here:
            lines.append(
                f"package {name!r} is found in {place}, not in {here}: something of that name "
                "comes first on Python's path; rename it, or start elsewhere"
            )
    return lines
