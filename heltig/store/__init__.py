"""Everything Heltig remembers, in one SQL database.

`engine.Store` opens it and runs transactions; one module a purpose holds the functions that such a
transaction calls. They take and give the structs of `records`; no table leaves the package.
"""
