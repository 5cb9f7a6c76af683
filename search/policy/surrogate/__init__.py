"""A model of what configurations are worth, where only some were tried."""
