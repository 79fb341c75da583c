"""A call that a cell makes: while it runs, and how its result is shown."""
