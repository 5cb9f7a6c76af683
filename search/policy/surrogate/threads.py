"""One thread for small matrices: more of them wait for each other, and for trials that train."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController


class _Shared:
    """The limit of those who are inside at the same time: the first sets it, the last lifts it.

    Limits of their own would each take the other's for how it was before.
    """

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0
        self._limiter: Any = None

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._limiter = _controller().limit(limits=1, user_api="blas")

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limiter.restore_original_limits()


_SHARED = _Shared()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let linear algebra take one thread of this process."""
    _SHARED.enter()
    try:
        yield
    finally:
        _SHARED.leave()


@cache
def _controller() -> ThreadpoolController:
    """Look the libraries up once: that takes a millisecond."""
    import scipy.linalg  # noqa: F401  # one that is loaded later would not be found

    return ThreadpoolController()
