"""What stands between this computer and a gateway: found step by step, each fault with its way out."""
