"""Python functions as tools of the gateway's agents: the node role."""

from .running import cancelled as cancelled
from .running import progress as progress

__all__ = ["cancelled", "progress"]
