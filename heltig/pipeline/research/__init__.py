"""Analyses of READY studies, research use only: ordered, fetched, made in a process apart, kept and purged.

Nothing of imaging is imported here but what says how that process is spoken to. No verdict depends on it.
"""
