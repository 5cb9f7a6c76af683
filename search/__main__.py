"""``python -m search`` is ``seqtune``."""

from search.cli.main import main

main(prog_name="seqtune")
