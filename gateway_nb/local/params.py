"""Which params the embedded gateway takes, and its words for wrong ones, as the real gateway says them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .answers import Refusal

_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


@dataclass(frozen=True)
class Params:
    """The params of one method.

    Attributes:
        fields: name -> JSON type.
        required: names that must be there, in the order in which they are asked for.
        open: other names are let through.
    """

    fields: dict[str, str]
    required: tuple[str, ...] = ()
    open: bool = False

    def check(self, method: str, params: Any) -> dict[str, Any]:
        """Return the params, or refuse them in the gateway's words.

        Raises:
            Refusal: INVALID_REQUEST.
        """
        if params is None:
            params = {}
        if not isinstance(params, dict):
            raise _invalid(method, "must be object")
        for name in self.required:
            if name not in params:
                raise _invalid(method, f"must have required property '{name}'")
        for name, value in params.items():
            kind = self.fields.get(name)
            if kind is None:
                if not self.open:
                    raise _invalid(method, f"at root: unexpected property '{name}'")
            elif not _is(value, kind):
                raise _invalid(method, f"at /{name}: must be {kind}")
            elif name == "limit" and value < 1:
                raise _invalid(method, "at /limit: must be >= 1")
        return params


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind != "boolean":
        return False
    return isinstance(value, _KINDS[kind])


def _invalid(method: str, what: str) -> Refusal:
    return Refusal("INVALID_REQUEST", f"invalid {method} params: {what}")
