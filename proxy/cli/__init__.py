"""`proxyctl`. A module a verb: it parses, calls one use case of `control` and returns a page.

- The program: `main` lists the verbs; `program` goes from arguments to an exit status;
  `command` has what all verbs share, `options` what several do.
- Output: `page` is what a verb returns, `printing` alone writes it, as JSON, as text
  (`terminal`) or as `markdown`; `clean` makes stored text safe for a terminal.
- Serving: `serve`, `up` (and `welcome`, what it prints); `background` runs a server beside a
  verb, `simulation` the simulated vendor.
- Versions: `register`, `register_live` (its `--from-live`), `import_prompt`, `checkout`,
  `versions`, `show`, `diff`, `render`.
- Pins: `pin`, `rollback`, `undo` (`moved` is how these three answer), `freeze` (and unfreeze),
  `history` (and at), `status`, `check`, `repair`, `verify_deploy`, `rehearse`.
- Evals: `evaluate` (the verb is `eval`), its parts `eval_options`, `eval_where`, `eval_proxy`,
  `eval_bar` and `eval_page`; `attach`, `compare`, `gate` (and ratify).
"""
