"""Who is there, for a loop that must not wait: any thread adds and removes, and walking takes no lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Items in the order in which they were added.

    Attributes:
        items: those that are there now, a new tuple after each change.
    """

    def __init__(self) -> None:
        self.items: tuple[T, ...] = ()
        self._changing = threading.Lock()

    def add(self, item: T) -> Callable[[], None]:
        """Add an item; return the function that removes it. From any thread."""
        with self._changing:
            self.items = (*self.items, item)

        def remove() -> None:
            with self._changing:
                self.items = tuple(other for other in self.items if other is not item)

        return remove
