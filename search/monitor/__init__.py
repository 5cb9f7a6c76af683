"""Live views of a study: each follows its events and decides nothing."""
