"""The pages for people: the worklist, and a study with its verdict and why.

Made on the server, so that each view has an address, works without JavaScript and prints. `routes` gives them
to the application; `heltig.api.services` has what they work with.
"""

from heltig.dashboard.routing import routes

__all__ = ["routes"]
