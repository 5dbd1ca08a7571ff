"""What a version is. Pure.

- Content: `content` is the model (`routing` its rules, `values` what its fields may hold),
  `template` and `variables` its placeholders, `identity` the canonical form and digest, `names`
  model names, ids and references, `diff` what changed.
- Files: `sources` reads a model's folder, `checkout` writes it, with `toml`.
- Records: `record` (versions, pins, changes, members), `evidence` (results, gates, drills),
  `question` (what the fleet is asked).
- Decisions: `backward` (rollback, undo), `repair` (store and fleet differ).
"""
