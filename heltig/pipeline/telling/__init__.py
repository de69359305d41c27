"""Whoever wants to know is told: webhooks, alerts, the stream of changes."""
