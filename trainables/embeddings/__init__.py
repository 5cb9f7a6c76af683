"""Pretrained word vectors: read once, cut to a corpus's vocabulary, and shared by all trials."""
