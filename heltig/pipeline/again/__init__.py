"""Stored studies judged again: other rules, a waiver, or a change of another study."""
