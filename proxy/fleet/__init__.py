"""The snapshot of a proxy, and how it follows the store.

- Held: `snapshot` (pins and versions, swapped as a whole), `carried` (a version, compiled for
  each dialect), `held` (versions without a label), `conversations` (which former versions may
  go on).
- Following: `follow` is the loop; `judge` verifies a pin, `fitness` what speaks against a
  version, `standing` how the store is reached, `announce` logs each change.
- On disk: `last_known_good` is the file, `notes` a line for each switch since, `kept` what is
  written of a snapshot; `save` writes in the background.
- As a member: `naming`, `report` (the lease), `respond` (answers to questions), `probe` (what
  would be sent), `drills` (the last one of each model).
"""
