"""What a person reads of a finished, running or interrupted study."""
