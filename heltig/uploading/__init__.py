"""Sending studies to a server elsewhere: packing them, and uploads that go on where they broke off."""
