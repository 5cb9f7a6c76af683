"""After a search: the model that it found, handed over."""
