"""Conversion of texts to tokens, and of tokens to batches."""
