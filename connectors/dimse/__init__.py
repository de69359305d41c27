"""DIMSE: objects that are sent to us by C-STORE, and that we send on. pynetdicom works in here only."""
