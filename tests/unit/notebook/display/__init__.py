"""The unit tests of gateway_nb/notebook/display."""
