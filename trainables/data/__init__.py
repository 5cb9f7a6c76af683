"""From a named data set to one memory-mapped corpus of token ids. Imports no torch."""
