"""STOW-RS (PS3.18 10.5): multipart bodies read as they come, and objects sent from their files."""
