"""The magics: their grammar, the body of a cell, binding of variables, completion."""
