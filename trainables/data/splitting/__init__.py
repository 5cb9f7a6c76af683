"""From tables to the parts train, validation and test: nothing in two of them."""
