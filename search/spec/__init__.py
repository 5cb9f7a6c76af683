"""The study file: validated, frozen, and written back."""
