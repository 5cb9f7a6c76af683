"""The PyTorch core that every task shares: one trainer, one batching, one checkpoint format."""
