"""One request from end to end.

- The way in: `gateway` is what requests share and where each begins; `routes` knows the paths,
  `access` the apps' tokens, `query` the keys in a query.
- A managed request: `exchange` drives it, `ending` is how it ends early. `plan` composes,
  `outgoing` and `headers` build what is sent, `credential` has the vendors' keys, `calls` what
  differs in calls to one vendor, `vendors` the table of vendors.
- Which target: `router`, `attempts`, `circuits`.
- The way out: `vendor_answer` says what an answer means, `reply` writes our own.
- Without a version: `unmanaged`, `passing` and `through` (passed through unread), `kept` (what
  a vendor keeps of answers), `live` (requests remembered to be adopted).
- For an operator: `preflight` and `vendor_list` look whether a version could be served from
  here.
"""
