"""A trained model by itself: its folder, its predictions, and its scores on other data."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainables.serving.model import load_model

__all__ = ["load_model"]


def __getattr__(name: str) -> Any:
    """Import ``load_model``, and torch with it, when it is asked for."""
    if name == "load_model":
        from trainables.serving.model import load_model

        return load_model
    raise AttributeError(name)
