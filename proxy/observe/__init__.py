"""Log lines and counters.

`request_line` is the line of a request, `request_log` writes those in batches, `logs` all other
events, `log_sink` is the queue behind both. `stats` are the counters of requests,
`exposition` is how metrics are written, `loop_lag` how late the event loop runs, `clock` the time
of day.
"""
