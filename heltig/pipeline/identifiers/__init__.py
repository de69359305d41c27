"""What names a patient: who sees it, how it is hashed, and how it is taken out of what leaves."""
