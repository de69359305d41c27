"""Backups of a store and its files, and their way back."""
