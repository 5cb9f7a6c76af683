"""The command line: parses, calls, prints; heavy imports happen inside the commands."""
