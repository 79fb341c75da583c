"""Many gateways at once: what they are, and one object for all of them."""
