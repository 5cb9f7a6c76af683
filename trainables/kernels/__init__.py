"""The CPU's recurrence: passes over time, in machine code compiled where they run."""
