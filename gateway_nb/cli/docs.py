"""``gateway-nb docs``: the documentation that came with the package."""

from __future__ import annotations

import importlib.resources
import webbrowser
from pathlib import Path

import click

from ..protocol.spelling import closest
from .output import say

SITE = Path(str(importlib.resources.files("gateway_nb"))) / "site"


@click.command()
@click.argument("name", default="index")
def docs(name: str) -> None:
    """Open the documentation in a browser, without a network.

    NAME is a page: of an error, as its line has it (PairingRequiredError, AUTH_TOKEN_MISMATCH), or one of the guide
    (02-requests). Exit codes: 0 its address is printed, 1 there is no such page.
    """
    pages = {path.stem.lower(): path for path in [*SITE.glob("*.html"), *SITE.glob("errors/*.html")]}
    if not pages:
        raise click.ClickException(
            "this installation has no documentation, a wheel has; in a checkout: "
            "pip install -e '.[docs]' && python -m sphinx -d build/doctrees notebooks build/html"
        )
    page = pages.get(name.lower())
    if page is None:
        near = closest(name.lower(), pages, 3)
        raise click.ClickException(
            f"there is no page {name!r}"
            + (f"; did you mean {' or '.join(pages[one].stem for one in near)}?" if near else "; see: gateway-nb docs")
        )
    say(page.as_uri())
    webbrowser.open(page.as_uri())
