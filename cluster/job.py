"""What Ray's workers may import: installed packages and this one, and nothing that lies about."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.job_config import JobConfig

_ROOT = Path(__file__).parents[1]


class _Fixed(list[str]):
    """A list of which Ray's additions are ignored."""

    def extend(self, more: Any) -> None:
        """Do nothing: Ray adds the folder that the search was started in, before all others. A
        ``torch.py`` of a downloaded data set would run there."""


def job_config() -> "JobConfig":
    """Return the settings of this process's job: which folders come first in its workers."""
    from ray.job_config import JobConfig

    config = JobConfig()
    installed = "site-packages" in _ROOT.parts or "dist-packages" in _ROOT.parts
    config._py_driver_sys_path = _Fixed([] if installed else [str(_ROOT)])
    return config
