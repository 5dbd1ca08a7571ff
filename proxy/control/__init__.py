"""Use cases: all that an operator can do. Nothing is printed here; `cli` does that.

- Versions: `register`, `adopt` (from captured requests), `import_prompt`, `checkout`, `catalog`
  (lists, one version, differences), `render`; `folder` reads and writes a model's files,
  `bounded_file` reads others, `git` asks git, `references` goes from what was typed to a version.
- Pins: `pin`, `back` (rollback, undo), `freeze`; `prepare` before a swap, `act` the swap
  itself, `confirm` after it; `history`, `status`, `check`, `verify_deploy`, `repair`,
  `first_run`.
- Questions to the fleet: `ask` puts any, `probe` asks what would be sent.
- Evals: `evaluate` is one run from end to end; `eval_subject` is what is evaluated, `eval_run`
  asks all questions, `eval_ask` one, `eval_dialects` says how, `eval_scoring` scores answers in
  threads, `eval_progress` keeps answers for a run that goes on later; `suite_files` reads
  `evals.toml`, `attach` takes results of other tools, `results` is what scripts read,
  `standing` what a result means, `compare`, `gate`, `gate_history` how it changed.
- Drills: `rehearse` begins one, `course` is the drill while it runs, `drill` what it showed,
  `drill_evals` its cases, `live` whether `prod` may be used.
"""
