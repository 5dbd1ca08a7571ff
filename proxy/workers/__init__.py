"""Several processes that serve, and the supervisor above them.

`supervisor` is the parent; `team` the workers of one set of settings, `child` one of them as
the parent sees it. `worker` is the process itself. They talk over a `channel` in `messages`.
`view` and `merge` show all of them on the admin listener.
"""
