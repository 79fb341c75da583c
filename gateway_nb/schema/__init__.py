"""What is known of the gateway's methods: scopes, and the names and types of their params.

The gateway serves no schema. A table of these facts comes with the package; ``gateway-nb schema update`` replaces it
with that of a newer gateway.
"""
