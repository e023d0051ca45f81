# Sourced: runs scripts that source tests/integration/lib.sh, each in a home of its own, and checks that each leaves nothing
# behind. Wants scripts/lib.sh, leaks.sh and KUBECTL.
export KUBELAN KUBECTL

TOTAL_PASSED=0
TOTAL_FAILED=0

# suite_script NAME SCRIPT: its output, and its counts added up; one that does not end with `finish` has failed.
suite_script() {
  local name=$1 script=$2 before code counts
  printf '\n-- %s (uid %s)\n' "$name" "$(id -u)"
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/kubelan-test.XXXXXX")
  before=$(leak_snapshot)
  env -u KUBELAN_NAME -u KUBELAN_STATE_DIR HOME="$WORK" TMPDIR="$WORK" XDG_STATE_HOME="$WORK/state" KUBECONFIG="$WORK/kubeconfig" WORK="$WORK" bash "$script" >"$WORK/out" 2>&1
  code=$?
  grep -v '^RESULT ' "$WORK/out"
  counts=$(grep '^RESULT ' "$WORK/out" | tail -1)
  if [ -n "$counts" ]; then
    TOTAL_PASSED=$((TOTAL_PASSED + $(echo "$counts" | cut -d' ' -f2)))
    TOTAL_FAILED=$((TOTAL_FAILED + $(echo "$counts" | cut -d' ' -f3)))
  else
    echo "FAIL  $name ended early with code $code"
    TOTAL_FAILED=$((TOTAL_FAILED + 1))
  fi
  HOME=$WORK XDG_STATE_HOME=$WORK/state "$KUBELAN" down --all >/dev/null 2>&1
  check_equal "$name leaves nothing on the host" "$before" "$(leak_snapshot_settled "$before")"
  rm -rf "$WORK"
}

suite_summary() {
  echo
  echo "$((TOTAL_PASSED + PASSED)) passed, $((TOTAL_FAILED + FAILED)) failed"
  [ $((TOTAL_FAILED + FAILED)) = 0 ]
}
