"""The transport: HTTP/1.1 on asyncio's protocols, with llhttp as the parser.

- From apps: `server` is a connection, in parts: `answering` (writing), `leaving` (closing or
  moving), `incoming` (bodies that are passed on as they come). `listener` is what connections
  share, `head` what is refused in a request's head, `answer` the framing of answers.
- To vendors: `upstream` has connections and pools, `unwanted` reads answers that nobody waits
  for.
- For both: `deadlines`, `outbox` (writes joined in one turn of the loop).
- Listening: `sockets`, and `steering` of new connections to a successor.
"""
