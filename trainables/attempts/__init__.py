"""One attempt at a trial: its messages, its training, and the numerics of its machine."""
