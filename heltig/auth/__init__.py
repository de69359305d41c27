"""Who is asking, and what they may do.

`principal` says who somebody is, `policy` who may use which route. `identity` finds out who is asking: by
`keys`, by access `tokens` of an OpenID `provider`, or by `sessions` of people who logged in there (`openid`).
"""
