"""Decides by the study's state alone: what to try next, what to stop, what to retry."""
