"""Files of rows, as people have them: each format is one file, and one line of ``formats``."""
