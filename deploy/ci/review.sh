#!/usr/bin/env bash
# On a pull request: are the files valid, what would change against prod, how good is it? Writes
# Markdown to the file that is named, and fails if a version would not pass its gate.
# Changes nothing in the store, but for results of evals, which belong to the content: the gate in
# force stays, whatever the pull request asks for.
set -euo pipefail
summary=${1:?the file to write the summary to}
failed=0

# A refusal is Markdown too, so it goes into the summary like everything else.
{
    echo "## Versions"
    echo
    proxyctl register --all --dry-run --markdown
} >"$summary" || exit 1

for folder in config/models/*/; do
    name=$(basename "$folder")
    {
        echo
        echo "### $name"
        echo
    } >>"$summary"
    if difference=$(proxyctl diff "$name" prod files --markdown); then
        echo "$difference" >>"$summary"
    elif [[ $difference == *'[unknown'* ]]; then
        echo "a new model: prod holds nothing of it to compare with" >>"$summary"
    else
        echo "$difference" >>"$summary"
        failed=1
    fi
    if [[ -f $folder/evals.toml ]]; then
        echo >>"$summary"
        proxyctl eval "$name" files --check --if-missing --no-gate --markdown >>"$summary" || failed=1
    fi
done
exit "$failed"
