"""One attempt at a trial: its messages, its training, what its machine can do."""
