"""The widgets: one Python file each, with its JavaScript and CSS beside it."""
