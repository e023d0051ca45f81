#!/usr/bin/env bash
# Services and endpoints change 50 times a second through the API while an unrelated Service is asked all the time.
# Afterwards nothing may be left over: no request failed, memory and kernel objects are where they were, and what every
# node's kernel has is what it should have. Usage: tests/bench/churn.sh [SECONDS], 300 by default. Exit code 1: it is not so.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
. scripts/lib.sh
[ -n "${KUBELAN_SKIP_BUILD:-}" ] || build kubelan services_bench
WORK=$(mktemp -d "${TMPDIR:-/tmp}/kubelan-churn.XXXXXX")
export HOME=$WORK XDG_STATE_HOME=$WORK/state KUBECONFIG=$WORK/kubeconfig KUBELAN
trap '"$KUBELAN" down --all >/dev/null 2>&1; rm -rf "$WORK"' EXIT
trap 'exit 130' INT TERM
. tests/bench/lib.sh
. tests/bench/services_lib.sh
SECONDS_LONG=${1:-300}

objects() {
  local sets
  sets=$("$KUBELAN" enter --name $cluster node/node-1 -- nft -t list table ip kubelan | awk '$1 == "set" || $1 == "map" {print $2}')
  "$KUBELAN" enter --name $cluster node/node-1 -- "$bench" objects $sets
}
show() { echo "$1  $(objects)  memory (PSS) $(cluster_pss | awk '{printf "%.1f MiB", $1/1024}')"; }

services_up >/dev/null
server=$(services_server)
make_pods
start_answers
# A first round, so that what is only made once is there on both sides of the comparison; it also fills the history that
# the store keeps for watchers, 16,384 changes and no more.
beside pod/bench-2 probe "$bench" churn "$server" "$dir" "$WORK/from" "$WORK/to" "${WARM_UP:-30}" 1000 || fail "the first round"
sleep 3
show "before"
before=$(objects)
memory_before=$(cluster_pss)
beside pod/bench-2 probe "$bench" churn "$server" "$dir" "$WORK/from" "$WORK/to" "$SECONDS_LONG"
check_equal "no request to the service beside failed" 0 $?
sleep 3  # What is deleted late.
show "after "
check "every node's kernel has what it should have" "$bench" verify "$server" "$dir"
after=$(objects)
memory_after=$(cluster_pss)
check "memory is within a tenth of what it was" [ "$memory_after" -le $((memory_before * 110 / 100)) ]
check_equal "as many kernel objects as before" "${before% wheels*}" "${after% wheels*}"
# 40 services that change; made in lots, so twice that many of each kind at the most.
check "wheels are bounded" [ "${after##* }" -le 400 ]
stop_answers
"$KUBELAN" down --name $cluster >/dev/null
summary
