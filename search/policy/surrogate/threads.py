"""One thread for small matrices: more of them wait for each other, and for trials that train."""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which linear algebra takes one thread of this process."""
    limited: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limited


@cache
def _controller() -> ThreadpoolController:
    """Look the libraries up once: that takes a millisecond."""
    import scipy.linalg  # noqa: F401  # one that is loaded later would not be found

    return ThreadpoolController()
