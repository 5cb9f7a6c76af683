"""The tasks. Each owns its model, its loss, its metrics and a declaration for the search."""
