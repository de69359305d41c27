"""Who is asking, and what they may do.

`principal` says who somebody is, `policy` who may use which route, `keys` makes and checks API keys.
"""
