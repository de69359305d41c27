"""Heltig, the readiness gate for DICOM archives."""

__version__ = "0.1.0"
