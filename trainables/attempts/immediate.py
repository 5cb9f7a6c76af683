"""An executor that does its work at once, in the thread that asks for it."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

T = TypeVar("T")


class ImmediateExecutor(Executor):
    """Runs each call before ``submit`` returns.

    What the call raises is raised there, so that nothing follows a failure.
    """

    def submit(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Return a future that is done."""
        future = Future[T]()
        future.set_result(call(*args, **kwargs))
        return future
