"""Every task that a study may name."""

import pytest

from tests.contracts.task import TextTaskContract
from trainables.tasks.registry import TASKS


class TestTasks(TextTaskContract):
    small = {"embedding_dim": 8, "hidden_size": 6, "pooling": "mean"}

    @pytest.fixture(params=TASKS)
    def entry(self, request):
        return TASKS[request.param]
