"""Rows that must fall in one part: those of one text, of one group, or of one block of the file."""

from collections.abc import Hashable, Iterable, Sequence


def bundle(
    texts: Sequence[str], groups: Sequence[str | None], blocks: Sequence[Hashable] | None
) -> list[list[int]]:
    """Return the connected components of rows that share a text, a group or a block.

    Args:
        texts: of each row.
        groups: of each row, None where it stands alone; empty for no groups.
        blocks: the block of each row, where blocks are dealt out; None where not.
    """
    keys: list[Iterable[Hashable]] = [[("text", text) for text in texts]]
    if groups:
        keys.append([None if group is None else ("group", group) for group in groups])
    if blocks is not None:
        keys.append([("block", block) for block in blocks])
    parent = list(range(len(texts)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[Hashable, int] = {}
    for column in keys:
        for row, key in enumerate(column):
            if key is not None:
                # The lower row is the root, so that components stand in the order of the file.
                low, high = sorted((root(first.setdefault(key, row)), root(row)))
                parent[high] = low
    found: dict[int, list[int]] = {}
    for row in range(len(texts)):
        found.setdefault(root(row), []).append(row)
    return list(found.values())
