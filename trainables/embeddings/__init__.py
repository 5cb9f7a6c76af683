"""Word vectors that were learnt elsewhere: read once, cut to a corpus's vocabulary, shared."""
