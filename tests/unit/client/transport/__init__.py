"""The unit tests of gateway_nb/client/transport."""
