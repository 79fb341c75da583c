"""The unit tests of gateway_nb/fleets."""
