"""Versions, pins and their history: one interface, SQLite and Redis.

- For both: `base` is the interface, `rules` what a store allows, `url` finds the store of a
  URL. Texts as they are kept: `records`, `pin_text`, `question_text`, `former_text`,
  `evidence_text`.
- SQLite: `sqlite` is the store, `sqlite_file` its file and thread, `sqlite_schema` and
  `sqlite_tables` the tables; `sqlite_guards`, `sqlite_fleet`, `sqlite_repair` are parts of it.
- Redis: `redis` is the store; `redis_guards`, `redis_fleet` and `redis_watch` are parts of it.
  `redis_keys` names the keys, `redis_scripts` loads `lua/`, `redis_results` and `redis_answers`
  read what comes back.
- Connections to Redis: `redis_url` reads the URL, `redis_seek` finds the server (sentinels,
  clusters), `redis_names` looks names up, `redis_dial` connects, `redis_tls` and `redis_login`
  secure it, `redis_wire` speaks, `redis_link` keeps connections, `redis_fit` checks the
  server's settings.
"""
