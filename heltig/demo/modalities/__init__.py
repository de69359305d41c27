"""Synthetic series, one module a family of Information Object Definitions (PS3.3 annex A)."""
