"""Seeded, stratified split of one table into train, validation and test.

What belongs together falls in one part (``bundles``). A split with an empty part is refused.
"""

import numpy as np
from numpy.typing import NDArray

from trainables.data.part import PARTS
from trainables.errors import DataError


def split_rows(
    bundles: list[list[int]], classes_N: NDArray[np.int64], fractions: tuple[float, ...], seed: int
) -> list[NDArray[np.int64]]:
    """Return the row numbers of each part, ascending.

    Sizes follow ``fractions`` within every class. The rows of a bundle fall in one part; it counts
    for the class of its first row.

    Raises:
        DataError: a part would be empty.
    """
    rng = np.random.default_rng(seed)
    if len(bundles) == 1:
        raise DataError(
            f"all {len(classes_N)} texts are equal, or of one group: there is nothing to tell apart"
        )
    by_class: dict[int, list[list[int]]] = {}
    for rows in bundles:
        by_class.setdefault(int(classes_N[rows[0]]), []).append(rows)
    parts: list[list[int]] = [[] for _ in fractions]
    dealt = 0
    for klass in sorted(by_class):
        # What rounding has kept from a part in earlier classes is its due: of 77 classes of five
        # rows each, no part would else get a row but train.
        dealt += sum(map(len, by_class[klass]))
        due = [dealt * f - len(part) for f, part in zip(fractions, parts, strict=True)]
        _deal(by_class[klass], due, rng, parts)
    for name, part in zip(PARTS, parts, strict=False):
        if not part:
            raise DataError(
                f"{len(bundles)} different texts are too few: the {name} part is empty with "
                f"split = {list(fractions)}"
            )
    return [np.array(sorted(part), dtype=np.int64) for part in parts]


def _deal(
    groups: list[list[int]],
    due: list[float],
    rng: np.random.Generator,
    parts: list[list[int]],
) -> None:
    """Divide one class's groups of equal texts among ``parts``.

    Large groups go first, so that single rows can then fill each quota exactly.
    """
    room = _quotas(sum(map(len, groups)), due)
    order = rng.permutation(len(groups))  # the sort below is stable: equal sizes stay shuffled
    for index in sorted(order, key=lambda i: -len(groups[i])):
        group = groups[index]
        emptiest = max(range(len(room)), key=lambda p: (room[p] >= len(group), room[p]))
        if len(group) > 1:  # drawn in proportion to the room left, among parts that can hold it
            weights = np.maximum(np.array(room, dtype=float), 0.0)
            fits = weights * (np.array(room) >= len(group))
            if fits.sum() > 0:
                emptiest = int(rng.choice(len(room), p=fits / fits.sum()))
        else:
            emptiest = next((p for p, left in enumerate(room) if left > 0), 0)
        parts[emptiest].extend(group)
        room[emptiest] -= len(group)


def _quotas(total: int, due: list[float]) -> list[int]:
    """Return the rows of each part as whole numbers that sum to ``total``.

    They are what is ``due``, rounded by largest remainder, and train gets at least one.
    """
    exact = [max(0.0, x) for x in due]
    exact = [x * total / sum(exact) for x in exact]
    quotas = [int(x + 1e-9) for x in exact]  # 100 * 0.29 is 28.999999999999996 in floating point
    by_remainder = sorted(range(len(exact)), key=lambda i: quotas[i] - exact[i])
    for index in by_remainder[: total - sum(quotas)]:
        quotas[index] += 1
    if quotas[0] == 0:
        donor = max(range(len(quotas)), key=quotas.__getitem__)
        quotas[donor] -= 1
        quotas[0] += 1
    return quotas
