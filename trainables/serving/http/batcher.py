"""Requests that come at the same time, answered by passes through the network together."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from trainables.serving.model import CHUNK, Prediction

#: Texts that may wait for an answer; a request beyond is turned away.
MOST_WAITING = 4 * CHUNK


class Busy(Exception):
    """More texts are waiting than can be answered soon."""


@dataclass(frozen=True)
class _Asked:
    texts: Sequence[str]
    answer: asyncio.Future[list[Prediction]]


class Batcher:
    """Collects what is asked while a pass is under way, and answers it by the next one.

    Nobody waits for company: a request that comes alone is answered alone.
    """

    def __init__(
        self, predict: Callable[[Sequence[str]], list[Prediction]], executor: Executor
    ) -> None:
        """``predict`` runs in ``executor``, one call at a time."""
        self._predict, self._executor = predict, executor
        self._asked: asyncio.Queue[_Asked] = asyncio.Queue()
        self._waiting = 0

    async def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Return what the model says of each text, in their order.

        Raises:
            Busy: too many texts are waiting.
        """
        if self._waiting + len(texts) > MOST_WAITING:
            raise Busy
        answer = asyncio.get_running_loop().create_future()
        self._waiting += len(texts)
        self._asked.put_nowait(_Asked(texts, answer))
        try:
            found: list[Prediction] = await answer
        finally:
            self._waiting -= len(texts)
        return found

    async def serve(self) -> None:
        """Answer what is asked, until it is cancelled."""
        while True:
            together = [await self._asked.get()]
            while not self._asked.empty() and sum(len(one.texts) for one in together) < CHUNK:
                together.append(self._asked.get_nowait())
            await self._answer([one for one in together if not one.answer.done()])

    async def _answer(self, together: Sequence[_Asked]) -> None:
        texts = [text for one in together for text in one.texts]
        found = asyncio.get_running_loop().run_in_executor(self._executor, self._predict, texts)
        await asyncio.wait([found])
        failure, start = found.exception(), 0
        for one in together:
            if one.answer.done():  # its caller has gone
                pass
            elif failure is not None:
                one.answer.set_exception(failure)
            else:
                one.answer.set_result(found.result()[start : start + len(one.texts)])
            start += len(one.texts)
