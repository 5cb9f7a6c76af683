"""Nodes on hosts that are reached over ssh: how they are started, found and ended."""
