# The official Python client, by name from the package registry, against a cluster of its own.
. tests/integration/lib.sh
. tests/clients/lib.sh

LIBRARY=${CLIENTS_CACHE:-$WORK}/python-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
library() {
  python3 -m pip --version >/dev/null 2>&1 || { echo "SKIP: the Python client: python3 or its pip is missing"; return 1; }
  [ -e "$LIBRARY/.complete" ] && return
  mkdir -p "$LIBRARY"
  local out
  out=$(python3 -m pip install -q --disable-pip-version-check --target "$LIBRARY" 'kubernetes>=29' 2>&1) && touch "$LIBRARY/.complete" && return
  echo "SKIP: the Python client: pip cannot install kubernetes: $(printf '%s' "$out" | tail -1)"
  return 1
}
library || { finish; exit; }

check "up" "$KUBELAN" up --nodes 1 --no-ingress
check "a definition" k apply -f examples/crd/crontab-crd.yaml
report python env "PYTHONPATH=$LIBRARY" python3 -W ignore tests/clients/python/client.py
check "down" "$KUBELAN" down
finish
