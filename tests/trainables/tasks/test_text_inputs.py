"""What the text tasks say of their data, before a trial is trained."""

import pytest

from trainables.storage import Cache
from trainables.tasks.text_inputs import TextInputs


@pytest.mark.parametrize(("allowed", "longest"), [(8, 8), (100_000, 13)])
def test_memory_is_counted_by_the_longest_text_there_is(reviews, tmp_path, allowed, longest):
    """The reviews have thirteen words at most, however many may be read."""
    tables = {"data": {"source": str(reviews), "max_tokens": allowed}}
    prepared = TextInputs("class").prepare(tables, {}, Cache(tmp_path / "cache"))
    assert prepared.shape.max_steps == longest
    assert (prepared.shape.outputs, prepared.shape.validation) == (2, 12)
