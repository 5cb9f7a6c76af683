"""Requests at the same time are answered together, each with its own answers."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from trainables.serving.http.batcher import MOST_WAITING, Batcher, Busy
from trainables.serving.model import Prediction


class Slow:
    """A model that waits for leave, says a text's length, and keeps what it was asked at a time."""

    def __init__(self) -> None:
        self.leave, self.calls = threading.Event(), list[list[str]]()

    def predict(self, texts):
        self.calls.append(list(texts))
        self.leave.wait(10)
        if "broken" in texts:
            raise ValueError("cannot read this")
        return [Prediction(None, {}, float(len(text))) for text in texts]


def run(story):
    """Run ``story(batcher, model)`` beside the batcher at work."""

    async def main():
        model = Slow()
        with ThreadPoolExecutor(max_workers=1) as executor:
            batcher = Batcher(model.predict, executor)
            working = asyncio.create_task(batcher.serve())
            try:
                return await asyncio.wait_for(story(batcher, model), 20)
            finally:
                model.leave.set()
                working.cancel()

    return asyncio.run(main())


async def begun(model, count=1):
    while len(model.calls) < count:
        await asyncio.sleep(0.001)


def values(found):
    return [one.value for one in found]


def test_what_comes_during_a_pass_is_answered_by_the_next():
    async def story(batcher, model):
        first = asyncio.create_task(batcher.predict(["a"]))
        await begun(model)
        others = [asyncio.create_task(batcher.predict(["b" * n, "c" * 9])) for n in range(5)]
        await asyncio.sleep(0.01)
        model.leave.set()
        assert values(await first) == [1.0]
        assert [values(await one) for one in others] == [[n, 9.0] for n in range(5)]
        assert [len(call) for call in model.calls] == [1, 10]

    run(story)


def test_more_than_may_wait_is_turned_away_and_later_let_in():
    async def story(batcher, model):
        first = asyncio.create_task(batcher.predict(["a"] * MOST_WAITING))
        await begun(model)
        with pytest.raises(Busy):
            await batcher.predict(["b"])
        model.leave.set()
        assert len(await first) == MOST_WAITING
        assert values(await batcher.predict(["bb"])) == [2.0]

    run(story)


def test_a_failure_is_told_to_those_it_befell_and_the_next_are_answered():
    async def story(batcher, model):
        model.leave.set()
        with pytest.raises(ValueError, match="cannot read"):
            await batcher.predict(["broken"])
        assert values(await batcher.predict(["whole"])) == [5.0]

    run(story)


def test_who_has_gone_is_not_waited_for():
    async def story(batcher, model):
        first = asyncio.create_task(batcher.predict(["a"]))
        await begun(model)
        gone = asyncio.create_task(batcher.predict(["gone"]))
        await asyncio.sleep(0.01)
        gone.cancel()
        model.leave.set()
        assert values(await first) == [1.0]
        stays = await batcher.predict(["b"] * (MOST_WAITING - 1))
        assert len(stays) == MOST_WAITING - 1 and ["gone"] not in model.calls

    run(story)
