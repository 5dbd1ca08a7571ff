#!/usr/bin/env bash
# After a merge: register what the commit holds, evaluate it, pin it, and see that what runs is what
# was committed. Safe to repeat: the same content is the same version, and a pin of what is pinned is
# none. A version that somebody rolled back from is revoked, and stays out: that is no failure.
set -euo pipefail
failed=0

proxyctl register --all --git-tag --message "${COMMIT_MESSAGE:-$(git log -1 --format=%s)}"

for folder in config/models/*/; do
    name=$(basename "$folder")
    version=$(proxyctl register "$name" --dry-run --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
    # Results belong to the content: what was evaluated on the pull request is not asked again.
    if [[ -f $folder/evals.toml ]]; then
        proxyctl eval "$name" "$version" --check --if-missing || { failed=1; continue; }
    fi
    answer=$(proxyctl pin "$name" "$version" --reason "deployed by CI" --json) && continue
    case $answer in
        *'"code": "revoked"'*) echo "$version was rolled back from, and stays out" ;;
        *'"code": "frozen"'*) echo "$name is frozen: $version waits" ;;
        *) echo "$answer"; failed=1 ;;
    esac
done

proxyctl verify-deploy || failed=1
exit "$failed"
