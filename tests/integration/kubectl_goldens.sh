# What every kubectl prints against a cluster, byte by byte: tests/golden/kubectl/commands, run in order with each kubectl,
# each in a namespace of its own. Ages are written AGE. UPDATE=1 writes the goldens that are missing: review every line,
# a golden is what upstream's API server makes kubectl print, not what ours does.
. tests/integration/lib.sh
GOLDENS=$PWD/tests/golden/kubectl

kubectls() {
  local real
  real=$(readlink -f "$KUBECTL")
  ls "$(dirname "$real")"/kubectl.1.* 2>/dev/null || echo "$real"
  if (cd "$WORK" && apt-get download kubernetes-client >/dev/null 2>&1 && dpkg -x kubernetes-client_*.deb debian); then
    echo "$WORK/debian/usr/bin/kubectl"
  else
    echo "SKIP: Debian's kubectl: kubernetes-client cannot be downloaded here" >&2
  fi
}
# normalised: an age is a column of its own at the end of a row or between columns; what differs in width goes, too.
normalised() { sed -E 's/  +[0-9]+(s|m[0-9]*s?)( |$)/  AGE\2/; s/ +/ /g; s/ $//'; }

check "up" "$KUBELAN" up
for kubectl in $(kubectls | sort -u); do
  v=$("$kubectl" version --client 2>/dev/null | grep -oE '1\.[0-9]+\.|Minor:"[0-9]+' | head -1 | sed -E 's/Minor:"/1./; s/\.$//')
  namespace=goldens-$(echo "$v" | tr . -)
  "$KUBECTL" create namespace "$namespace" >/dev/null
  mkdir -p "$WORK/bin"
  printf '#!/bin/sh\nexec "%s" -n "%s" "$@"\n' "$kubectl" "$namespace" >"$WORK/bin/k"
  chmod +x "$WORK/bin/k"
  while read -r name command; do
    case $name in '' | '#'*) continue ;; esac
    got=$(cd "$GOLDENS" && PATH=$WORK/bin:$PATH sh -c "$command" 2>&1 </dev/null; echo "exit code $?")
    got=$(printf '%s\n' "$got" | sed "s/$namespace/NAMESPACE/g" | normalised)
    golden=$GOLDENS/expected/$name.txt
    [ -e "$GOLDENS/expected/$name.$v.txt" ] && golden=$GOLDENS/expected/$name.$v.txt
    [ -n "${UPDATE:-}" ] && [ ! -e "$golden" ] && printf '%s\n' "$got" >"$golden"
    check_equal "$v $name" "$(cat "$golden" 2>/dev/null)" "$got"
  done <"$GOLDENS/commands"
  "$KUBECTL" delete namespace "$namespace" --wait=false >/dev/null
done
check "down" "$KUBELAN" down
finish
