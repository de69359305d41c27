"""Compiles the tables of the standard from packages that carry them; development only.

Run `python -m heltig.standard.build` to write `heltig/standard/tables`, and `--check` to fail when the
committed tables are not what the installed sources give. Needs the `dev` extra.
"""
