"""What a fleet is made of: a list, a dict, a file or a DataFrame, as members. It holds no secret, only where one is."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..client.environment import endpoint_for
from ..client.redaction.shapes import is_secret_name
from ..errors import BadArgumentError, GatewayError, one_line
from ..protocol.endpoint import Endpoint
from ..protocol.spelling import closest

_NAME = re.compile(r"\w[\w.@-]{0,63}")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_QUOTED = re.compile(r"""["'].*["']""", re.DOTALL)
"""What a parser quotes of a file: it may be the secret that must not be in there."""
_LONGEST_TEXT = 200
LABEL_COLUMN = "labels."
"""What the columns of labels are called like in a DataFrame."""


@dataclass(frozen=True, slots=True)
class Member:
    """A gateway of a fleet.

    Attributes:
        name: unique in the fleet; letters, digits and ``_ . @ -``, so that it can be a file's name.
        url: as for `gateway_nb.connect`.
        token_env: the environment variable that holds its token.
        password_env: the one that holds its password.
        tls_fingerprint: SHA-256 of its certificate.
        labels: to select it by.
    """

    name: str
    url: str = field(repr=False)  # its path and query are nobody's to read
    token_env: str | None = None
    password_env: str | None = None
    tls_fingerprint: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def endpoint(self) -> Endpoint:
        """Where it is.

        Raises:
            InsecureUrlError: policy refuses the URL.
        """
        return endpoint_for(self.url, self.tls_fingerprint)

    def arguments(self) -> dict[str, Any]:
        """Return what `gateway_nb.connect` takes beside the URL; the secrets are read from the environment now.

        A variable ``NORTH_TOKEN`` may be left out for ``NORTH_TOKEN_FILE``, the path of a file with the secret.

        Raises:
            BadArgumentError: the variable is not set, or is empty; or the file can't be read.
        """
        given: dict[str, Any] = {}
        for kind in ("token", "password"):
            if variable := getattr(self, f"{kind}_env"):
                given[kind] = _secret_of(self.name, variable)
        if self.tls_fingerprint is not None:
            given["tls_fingerprint"] = self.tls_fingerprint
        return given


_FIELDS = tuple(part.name for part in fields(Member))


def _secret_of(name: str, variable: str) -> str:
    if value := os.environ.get(variable, "").strip():
        return value
    path = os.environ.get(f"{variable}_FILE", "")
    if not path:
        raise BadArgumentError(
            f"gateway {name!r}: the environment has no variable {variable}, or it is empty; "
            f"set it, or {variable}_FILE to the path of a file with the secret"
        )
    try:
        value = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadArgumentError(
            f"gateway {name!r}: the file that {variable}_FILE names can't be read: {error}"
        ) from None
    if not value:
        raise BadArgumentError(f"gateway {name!r}: the file that {variable}_FILE names is empty")
    return value


def read_members(config: Any) -> tuple[Member, ...]:
    """Return the members that a configuration names, in its order. Nothing is sent, and no secret is read.

    Args:
        config: see `gateway_nb.fleet`.

    Raises:
        BadArgumentError: it is none, or holds a secret, an unknown key, a name twice, or nothing at all.
        InsecureUrlError: a URL is refused by policy.
    """
    items, where = _items(config)
    members: dict[str, Member] = {}
    for number, item in enumerate(items, 1):
        try:
            member = item if isinstance(item, Member) else _member(item, number)
        except GatewayError as error:
            error.args = (f"{where}{error}",)
            raise
        if member.name in members:
            raise BadArgumentError(f"{where}two gateways are called {member.name!r}; each needs a name of its own")
        members[member.name] = member
    if not members:
        raise BadArgumentError(f"{where}a fleet needs at least one gateway: {{'name': 'north', 'url': 'wss://...'}}")
    return tuple(members.values())


def _items(config: Any) -> tuple[Iterable[Any], str]:
    """Return what is to become members, and where it is from, for messages."""
    if isinstance(config, str | os.PathLike):
        if isinstance(config, str) and "://" in config:
            raise BadArgumentError("a fleet is more than a URL; for one gateway there is gnb.connect(URL)")
        path = Path(config)
        return _listed(_read(path), f"{path.name}: "), f"{path.name}: "
    if isinstance(config, Mapping):
        is_like_a_file = isinstance(config.get("gateways"), list | tuple)
        return (_listed(config, "") if is_like_a_file else _named(config)), ""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(config, pandas.DataFrame):
        return _rows(config), ""
    if isinstance(config, Iterable) and not isinstance(config, bytes):
        return config, ""
    raise BadArgumentError(
        f"a fleet is a list, a dict, a DataFrame, or a YAML or TOML file of gateways, not a {type(config).__name__}"
    )


def _read(path: Path) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if path.suffix not in (".yaml", ".yml", ".toml"):
        raise BadArgumentError(f"a fleet's file is called *.yaml or *.toml, not {_shown(path.name)}")
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text) if path.suffix == ".toml" else YAML(typ="safe", pure=True).load(text)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadArgumentError(f"{path}: the fleet's file can't be read: {why}") from None
    except tomllib.TOMLDecodeError as error:
        raise BadArgumentError(f"{path.name}: not valid TOML: {error}") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
        problem = _QUOTED.sub("…", getattr(error, "problem", None) or "it can't be read")
        raise BadArgumentError(f"{path.name}: not valid YAML: {one_line(problem, _LONGEST_TEXT)}{place}") from None
    except (ValueError, RecursionError) as error:  # a day that no month has; brackets without end
        why = "it is too deeply nested" if isinstance(error, RecursionError) else _QUOTED.sub("…", str(error))
        raise BadArgumentError(f"{path.name}: it can't be read: {one_line(why, _LONGEST_TEXT)}") from None


def _listed(content: Any, where: str) -> Iterable[Any]:
    """Return what a file, or a dict like one, lists under ``gateways``."""
    if not isinstance(content, Mapping) or "gateways" not in content:
        raise BadArgumentError(f"{where}a fleet's file has the key 'gateways' with a list of {{name, url, ...}}")
    for key in content:
        if key != "gateways":
            raise BadArgumentError(f"{where}unknown key {_shown(key)} beside 'gateways'")
    gateways = content["gateways"]
    if isinstance(gateways, Mapping):
        return _named(gateways)
    if not isinstance(gateways, list | tuple):
        raise BadArgumentError(f"{where}'gateways' must be a list of {{name, url, ...}}")
    return gateways


def _named(config: Mapping[Any, Any]) -> list[Any]:
    """Return the gateways of a dict whose keys are their names, and whose values are URLs or the other fields."""
    items: list[Any] = []
    for name, value in config.items():
        if isinstance(value, Mapping) and "name" in value:
            raise BadArgumentError(f"gateway {_shown(name)}: its name is the key; leave out 'name'")
        items.append({"name": name, **value} if isinstance(value, Mapping) else {"name": name, "url": value})
    return items


def _rows(frame: Any) -> list[dict[str, Any]]:
    """Return the rows of a DataFrame; labels are dicts in one column, or columns like ``labels.region``."""
    import pandas as pd

    if "url" not in frame.columns:
        raise BadArgumentError(f"the DataFrame has no column 'url', but {', '.join(map(_shown, frame.columns))}")
    items = []
    for row in frame.to_dict("records"):
        present = {
            str(key): value for key, value in row.items() if not (pd.api.types.is_scalar(value) and pd.isna(value))
        }
        labels = {  # integers beside missing ones are floats
            key.removeprefix(LABEL_COLUMN): int(value) if isinstance(value, float) and value.is_integer() else value
            for key in list(present)
            if key.startswith(LABEL_COLUMN)
            for value in [present.pop(key)]
        }
        own = present.get("labels", {})
        items.append({**present, "labels": {**own, **labels} if isinstance(own, Mapping) else own})
    return items


def _member(item: Any, number: int) -> Member:
    if not isinstance(item, Mapping):
        raise BadArgumentError(
            f"gateway {number} must be {{'name': 'north', 'url': 'wss://...'}}, not a {type(item).__name__}"
        )
    name = item.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        why = "has no name" if name is None else f"can't be called {_shown(name)}"
        raise BadArgumentError(f"gateway {number} {why}; a name is up to 64 letters, digits and _ . @ -")
    who = f"gateway {name!r}"
    for key in item:
        _check_key(who, key)
    if not isinstance(item.get("url"), str):
        raise BadArgumentError(f"{who} needs a url, like wss://gateway.example")
    for key in ("token_env", "password_env"):
        value = item.get(key)
        if value is not None and not (isinstance(value, str) and _VARIABLE.fullmatch(value)):  # it may be the secret
            raise BadArgumentError(f"{who}: {key} must be the name of an environment variable, like NORTH_TOKEN")
    url, pin = item["url"], item.get("tls_fingerprint")
    if pin is not None and not isinstance(pin, str):
        raise BadArgumentError(f"{who}: tls_fingerprint must be a string of 64 hex digits")
    member = Member(name, url, item.get("token_env"), item.get("password_env"), pin, _labels(who, item.get("labels")))
    try:
        parts = urlsplit(member.endpoint.url)
    except GatewayError as error:
        error.args = (f"{who}: {error}",)
        raise
    if any(is_secret_name(key) for key, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise _holds_secret(who, "its url holds a secret", "token")
    return member


def _check_key(who: str, key: Any) -> None:
    if key in _FIELDS:
        return
    if isinstance(key, str) and is_secret_name(key):
        kind = "password" if "pass" in key.lower() else "token"
        raise _holds_secret(who, f"{key!r} is a secret, and a fleet's configuration holds none", kind)
    near = closest(str(key), _FIELDS, 1)
    raise BadArgumentError(
        f"{who}: unknown key {_shown(key)}; "
        + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_FIELDS)}")
    )


def _holds_secret(who: str, what: str, kind: str) -> BadArgumentError:
    return BadArgumentError(
        f"{who}: {what}; put it into an environment variable, and the variable's name here: "
        f"{kind}_env: NORTH_{kind.upper()}"
    )


def _labels(who: str, labels: Any) -> dict[str, str]:
    if labels is None:
        return {}
    if not isinstance(labels, Mapping):
        raise BadArgumentError(
            f"{who}: labels must be a mapping like {{'region': 'eu'}}, not a {type(labels).__name__}"
        )
    for key, value in labels.items():
        if isinstance(key, str) and is_secret_name(key):
            raise _holds_secret(who, f"its label {key!r} looks like a secret", "token")
        if not isinstance(key, str) or isinstance(value, bool) or not isinstance(value, str | int):
            raise BadArgumentError(f"{who}: the label {_shown(key)} must be a text; put quotes around it")
    return {key: str(value) for key, value in labels.items()}


def _shown(value: Any) -> str:
    return repr(one_line(value, _LONGEST_TEXT))
