"""The shared PyTorch core: one trainer, one batching, one checkpoint format for every task."""
