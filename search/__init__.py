"""Decides what to train next and records what came of it. Imports no torch.

``search.run``, ``search.resume``, ``search.load`` and ``search.trials`` are the Python interface
(``search.api``); they are imported when they are asked for, so that the command line stays light.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.api import load, resume, run, trials

__all__ = ["load", "resume", "run", "trials"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from search import api

        return getattr(api, name)
    raise AttributeError(f"module 'search' has no attribute {name!r}")
