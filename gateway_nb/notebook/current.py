"""The connection that the magics mean where none is named: the one that was chosen in a form, else ``default``."""

name = "default"
