"""A sampler that compares trials of different epochs."""
