"""``python -m search`` is ``seqtune``."""

from search.cli import main

main(prog_name="seqtune")
