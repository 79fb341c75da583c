"""The real gateway on this machine: installed and run for you, with a model that needs no network."""
