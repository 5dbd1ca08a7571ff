"""Which version a request means, and which of its targets is asked. Pure.

`address` reads the `model` of a request, `rules` are a version's routing rules, `choose` picks
targets, `sticky` keeps a user or a conversation on one, `retry` decides after a failure,
`breaker` is a circuit breaker, `tally` how many of the latest calls failed.
"""
