"""Python functions as tools of the gateway's agents: the node role."""
