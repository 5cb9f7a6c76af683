"""The recurrence on a CPU: passes over time, in machine code compiled where it runs."""
