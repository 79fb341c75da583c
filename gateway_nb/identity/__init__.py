"""Who this computer is to a gateway: an Ed25519 key and the device tokens earned with it."""
