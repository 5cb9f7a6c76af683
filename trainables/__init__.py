"""Training of one configuration of a recurrent network; usable from a notebook, without Ray."""
