"""A case: one analysis from a folder of DICOM objects to a folder of results, in a process of its own.

    python -m heltig.imaging.case < order.json

`heltig.imaging.order` says what goes in and what is told meanwhile.
"""
