"""Cases, scores and what passes a gate. Pure; asking the questions is in `control`.

`suite` is what `evals.toml` says. An `answer` (`answer_gemini`, `answer_messages`) is held
against each `expectation` (`json_path` finds values in it), which gives a `score`; `summary`
makes a result of many. `compare` puts two results side by side, `noise` says what may be
chance and `power` what cannot be seen for it, `judge` decides. `elsewhere` reads results of other
tools.
"""
