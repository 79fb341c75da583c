"""Experiments: many runs, compared: what is run, running it so that nothing is lost, and what the numbers show."""
