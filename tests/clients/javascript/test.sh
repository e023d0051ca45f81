# The official JavaScript client, by name from the package registry, against a cluster of its own.
. tests/integration/lib.sh
. tests/clients/lib.sh

LIBRARY=${CLIENTS_CACHE:-$WORK}/javascript
library() {
  command -v node >/dev/null && command -v npm >/dev/null || { echo "SKIP: the JavaScript client: node or npm is missing"; return 1; }
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ] || { echo "SKIP: the JavaScript client: node $(node --version) is older than 18"; return 1; }
  [ -e "$LIBRARY/.complete" ] && return
  mkdir -p "$LIBRARY"
  local out
  out=$(npm install --prefix "$LIBRARY" --no-audit --no-fund --ignore-scripts @kubernetes/client-node@1 2>&1) && touch "$LIBRARY/.complete" && return
  echo "SKIP: the JavaScript client: npm cannot install @kubernetes/client-node: $(printf '%s' "$out" | grep -v '^npm warn' | tail -1)"
  return 1
}
library || { finish; exit; }

check "up" "$KUBELAN" up --nodes 1 --no-ingress
check "a definition" k apply -f examples/crd/crontab-crd.yaml
report javascript env "CLIENT_LIBRARY=$LIBRARY" node tests/clients/javascript/client.mjs
check "down" "$KUBELAN" down
finish
