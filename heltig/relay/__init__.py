"""A listener without a store: finished studies are packed, and uploaded to a server elsewhere."""
