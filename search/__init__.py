"""Decides what to train next and records what came of it. Imports no torch."""
