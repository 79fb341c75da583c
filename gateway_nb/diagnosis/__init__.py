"""What stands between this computer and a gateway: found step by step, each fault with what to do about it."""
