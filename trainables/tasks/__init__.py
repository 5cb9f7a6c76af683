"""The tasks: what is predicted, how wrong a prediction is, which figures describe it."""
