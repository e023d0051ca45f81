#!/bin/sh
# A page of a pod through `kubectl port-forward`, by its Service.
out=$(mktemp)
k port-forward service/web :80 >"$out" 2>&1 &
pid=$!
for _ in $(seq 50); do grep -q Forwarding "$out" && break; sleep 0.1; done
port=$(grep -oE '127.0.0.1:[0-9]+' "$out" | head -1 | cut -d: -f2)
curl -s -o /dev/null -w '%{http_code}\n' "http://127.0.0.1:$port/"
kill "$pid"; wait "$pid" 2>/dev/null
rm -f "$out"
true
