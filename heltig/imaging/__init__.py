"""Images as volumes, and what is measured in them. Research use only.

Needs the extra `heltig[imaging]`. Nothing outside of this package imports it at start: a verdict never
depends on an analysis, and the gate runs without these libraries.
"""
