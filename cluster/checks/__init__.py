"""Checks of machines before the first trial: what would fail in an hour fails in ten seconds."""
