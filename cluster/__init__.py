"""Where a search runs: one ``ClusterConfig``, one ``connect()``, one backend a file."""
