"""Errors of the place a search runs on; this package imports neither of the others."""


class ClusterError(Exception):
    """The cluster cannot be reached or cannot do what is asked; what to do is in the text."""

    exit_code = 2
