#!/bin/sh
# A request through `kubectl proxy`, on a port of its own choice.
out=$(mktemp)
k proxy --port=0 >"$out" 2>&1 &
pid=$!
for _ in $(seq 50); do grep -q Starting "$out" && break; sleep 0.1; done
port=$(grep -oE '[0-9]+$' "$out")
curl -s "http://127.0.0.1:$port/api/v1/namespaces/default/services/kubernetes" | grep '"name"' | head -1
kill "$pid"; wait "$pid" 2>/dev/null
rm -f "$out"
true
