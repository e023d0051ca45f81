# Go programs against a cluster: `go test` here, once for each way in which an informer can begin.
. tests/integration/lib.sh

command -v go >/dev/null || { echo "SKIP: Go clients: there is no go here"; finish; exit; }
wanted=$(awk '$1 == "go" { print $2 }' tests/clients/go/go.mod)
have=$(GOTOOLCHAIN=local go env GOVERSION | sed 's/^go//')
[ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -1)" = "$wanted" ] ||
  { echo "SKIP: Go clients: go $have is older than the $wanted that client-go wants"; finish; exit; }
export GOTOOLCHAIN=local
(cd tests/clients/go && go mod download) >"$WORK/download" 2>&1 ||
  { echo "SKIP: Go clients: client-go cannot be had here: $(tail -1 "$WORK/download")"; finish; exit; }

go_tests() { # go_tests WATCH_LIST ARGUMENT...: each test counts for itself.
  local watch_list=$1 verdict name rest
  shift
  KUBE_FEATURE_WatchListClient=$watch_list "$WORK/clients" -test.v -test.timeout 10m "$@" >"$WORK/log" 2>&1
  local code=$?
  local failed=$FAILED
  while read -r _ verdict name rest; do
    case $verdict in
      PASS:) pass "$name (streaming lists: $watch_list)" ;;
      FAIL:) fail "$name (streaming lists: $watch_list)" ;;
      SKIP:) echo "SKIP: $name" ;;
    esac
  done < <(grep -E '^--- ' "$WORK/log")
  [ $code = 0 ] || { [ "$FAILED" != "$failed" ] || fail "go test ended with $code"; grep -vE '^(=== |--- PASS|I[0-9]{4} )' "$WORK/log" | head -60; }
}

check "compiles" sh -c "cd tests/clients/go && nice go test -c -o '$WORK/clients' ."
check "up" "$KUBELAN" up
go_tests true
go_tests false -test.run 'Informer|Reconciler'
check "down" "$KUBELAN" down
finish
