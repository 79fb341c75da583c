"""The widgets: what they send to a browser, and when."""
