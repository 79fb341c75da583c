"""``python -m gateway_nb`` is the command ``gateway-nb``."""

from .cli.main import main

main(prog_name="gateway-nb")
