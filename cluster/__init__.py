"""Where a search runs: one ``connect()``, and one file for each kind of cluster."""
