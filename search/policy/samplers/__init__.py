"""Samplers: each reads the study's state and suggests the next configuration."""
