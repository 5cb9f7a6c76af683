"""Conversion of a named data set to one memory-mapped corpus of token ids.

Only ``text/reader.py`` imports torch.
"""
