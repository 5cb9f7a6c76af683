"""What labels mean, where a class has the sign in its name that parts them."""

import pytest

from search.errors import SpecError
from search.final.evaluating import parse_names


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("0=bad", ("0", "bad")),
        ("0=a=b", ("0", "a=b")),  # a class of that name
        ("x=y=bad", ("x=y", "bad")),
        ("0=q=z", ("0=q", "z")),  # which is then refused by its name
        ("0=a=", ("0", "a=")),
    ],
)
def test_a_pair_is_parted_before_a_class(pair, expected):
    assert parse_names((pair,), ("bad", "a=b", "a=")) == dict([expected])


@pytest.mark.parametrize("pair", ["", "0", "=bad", "0="])
def test_what_is_no_pair_is_refused(pair):
    with pytest.raises(SpecError, match="write LABEL=CLASS"):
        parse_names((pair,))
