"""The unit tests of gateway_nb/server/state."""
