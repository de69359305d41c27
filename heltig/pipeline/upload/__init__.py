"""Uploads: received in one request or several, accepted as durable jobs, judged."""
