"""Runs a study: plans a session, hands out work, takes results in, ends early."""
