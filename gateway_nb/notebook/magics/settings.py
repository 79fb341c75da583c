"""Every setting of the magics: its value, and where it is from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ...client.environment import PASSWORD_VARIABLE, TOKEN_VARIABLE, URL_VARIABLE, endpoint_for
from ...client.transport.opening import LIBRARY_VARIABLE, library
from ...errors import InsecureUrlError
from ...identity.files import HOME_VARIABLE, home

if TYPE_CHECKING:
    import pandas as pd
    from traitlets.config import Configurable

_TRAITS = ("default_connection", "default_timeout", "default_format")


def settings(magics: Configurable) -> pd.DataFrame:
    """Return the settings as a frame: setting, value, from. No secret is in it.

    Args:
        magics: the configured magics.
    """
    import pandas as pd

    rows = [_trait(magics, name) for name in _TRAITS]
    rows.append(_url())
    rows += [_secret(name, variable) for name, variable in (("token", TOKEN_VARIABLE), ("password", PASSWORD_VARIABLE))]
    rows.append(_variable("home", HOME_VARIABLE, str(home())))
    rows.append(_variable("transport", LIBRARY_VARIABLE, library()))
    return pd.DataFrame(rows, columns=["setting", "value", "from"]).set_index("setting")


def _trait(magics: Configurable, name: str) -> tuple[str, Any, str]:
    value = getattr(magics, name)
    kind = type(magics).__name__
    if name in magics.config.get(kind, {}):
        source = f"%config {kind}.{name}"
    else:
        source = "default" if value == magics.traits()[name].default_value else "set in this session"
    return name, "none" if value is None else value, source


def _url() -> tuple[str, str, str]:
    try:
        shown = endpoint_for(None).display
    except InsecureUrlError as error:
        shown = str(error)
    return "url", shown, f"environment {URL_VARIABLE}" if os.environ.get(URL_VARIABLE, "").strip() else "default"


def _variable(name: str, variable: str, default: str) -> tuple[str, str, str]:
    value = os.environ.get(variable, "").strip()
    return (name, value, f"environment {variable}") if value else (name, default, "default")


def _secret(name: str, variable: str) -> tuple[str, str, str]:
    is_set = bool(os.environ.get(variable, "").strip())
    return name, "set" if is_set else "not set", f"environment {variable}"
