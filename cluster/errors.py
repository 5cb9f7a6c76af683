"""Errors of the place where a search runs."""


class ClusterError(Exception):
    """The cluster cannot be reached or cannot do what is asked; what to do is in the text."""

    exit_code = 2
