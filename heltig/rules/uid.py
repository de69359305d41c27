"""UID: are the identifiers well formed?"""
