"""``python -m gateway_nb`` is the command ``gateway-nb``."""

from .cli import main

main(prog_name="gateway-nb")
