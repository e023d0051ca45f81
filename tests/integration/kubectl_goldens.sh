# What every kubectl prints, byte by byte: tests/golden/kubectl/commands, run in order with each kubectl, each against a cluster of its
# own, two at a time. What differs from run to run is named instead (AGE, TIME, UID, HASH, IP, PORT). UPDATE=1 writes the goldens that are
# missing: review every line, a golden is what upstream's API server makes kubectl print, not what ours does.
# KUBECTLS: only these versions ("1.33 1.20").
. tests/integration/lib.sh
GOLDENS=$PWD/tests/golden/kubectl

version_of() { "$1" version --client 2>/dev/null | grep -oE '1\.[0-9]+\.|Minor:"[0-9]+' | head -1 | sed -E 's/Minor:"/1./; s/\.$//'; }

# An age is a column of its own at the end of a row or between columns; what differs in width goes, too.
normalised() {
  sed -E 's/  +[0-9]+(s|m[0-9]*s?)( |$)/  AGE\2/; s/ +/ /g; s/ $//
    s/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/UID/g
    s/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+Z/TIME/g
    s/(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]+ [-+][0-9]{4}/TIME/g
    s/(resourceVersion"?: ")[0-9]+/\1RV/g
    s/-[0-9a-z]{8,10}-[0-9a-z]{5}([^0-9a-z]|$)/-HASH\1/g; s/(web|quiet|made)-[0-9a-f]{8,10}([^0-9a-z]|$)/\1-HASH\2/g
    s/pod-template-hash(":|=|: ?) ?"?[0-9a-f]{8,10}"?/pod-template-hash\1HASH/g; s/kube-api-access-[0-9a-z]{5}/kube-api-access-HASH/g
    s/10\.(9[6-9]|1[01][0-9])\.[0-9]+\.[0-9]+/SERVICE-IP/g; s/10\.244\.[0-9]+\.[0-9]+(:|,| |$)/POD-IP\1/g
    s/https:\/\/127\.0\.0\.1:[0-9]+/https:\/\/127.0.0.1:PORT/g
    s/kubectl\.1\.[0-9]+/kubectl/g
    s/kubelan:\/\/[0-9a-f]+/kubelan:\/\/ID/g
    s/ [0-9]+(ms|s|m[0-9]*s?)( \(x[0-9]+ over [0-9a-z]+\))?( |$)/ AGE\3/g'
}

# run_version KUBECTL VERSION: pass and fail lines of one kubectl.
run_version() {
  local kubectl=$1 v=$2 dir=$WORK/$2 cluster=goldens-${2/./-}
  mkdir -p "$dir/bin" "$dir/home"
  export HOME=$dir/home KUBECONFIG=$dir/kubeconfig
  check "$v up" "$KUBELAN" up --name "$cluster"
  "$KUBECTL" create namespace goldens >/dev/null
  printf '#!/bin/sh\nexec "%s" -n goldens "$@"\n' "$kubectl" >"$dir/bin/k"
  chmod +x "$dir/bin/k"
  while read -r name row command; do
    case $name in '' | '#'*) continue ;; esac
    got=$(cd "$GOLDENS" && PATH=$dir/bin:$PATH sh -c "$command" 2>&1 </dev/null; echo "exit code $?")
    got=$(printf '%s\n' "$got" | sed "s/goldens-1-[0-9]*/CLUSTER/g; s/goldens/NAMESPACE/g" | normalised)
    golden=$GOLDENS/expected/$name.txt
    [ -e "$GOLDENS/expected/$name.$v.txt" ] && golden=$GOLDENS/expected/$name.$v.txt
    [ -n "${UPDATE:-}" ] && [ ! -e "$golden" ] && printf '%s\n' "$got" >"$golden"
    # For the review of what one kubectl says differently: GOT=DIR keeps what came.
    [ -n "${GOT:-}" ] && printf '%s\n' "$got" >"$GOT/$name.$v.txt"
    check_equal "$v $name" "$(cat "$golden" 2>/dev/null)" "$got"
  done <"$GOLDENS/commands"
  check "$v down" "$KUBELAN" down --name "$cluster"
}

while read -r row _; do
  check "row $row is covered" grep -qE "^[a-z0-9_]+ $row " "$GOLDENS/commands"
done <"$GOLDENS/rows"

versions=()
count=$(kubectls | sort -u | wc -l)
[ "$count" -ge 2 ] || echo "SKIP: other versions of kubectl: only $count is here" >&2
for kubectl in $(kubectls | sort -u); do
  v=$(version_of "$kubectl")
  case " ${KUBECTLS:-$v} " in *" $v "*) ;; *) continue ;; esac
  versions+=("$v")
  while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
  (PASSED=0 FAILED=0; run_version "$kubectl" "$v"; echo "COUNT $PASSED $FAILED") >"$WORK/$v.log" 2>&1 &
done
wait
check "at least one kubectl has run" [ ${#versions[@]} -gt 0 ]
for v in "${versions[@]}"; do
  grep -v '^COUNT ' "$WORK/$v.log"
  read -r _ passed failed <<<"$(grep '^COUNT ' "$WORK/$v.log" || echo COUNT 0 1)"
  PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed))
done
finish
