"""Everything that knows IPython: the magics, their grammar, and how results and errors look."""
