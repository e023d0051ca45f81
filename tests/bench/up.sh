. tests/bench/lib.sh
echo "== up: from nothing to API, DNS and nodes ready (ms, --ephemeral no: objects on disk)"
for i in $(seq "$RUNS"); do
  begin=$(now_us)
  "$KUBELAN" up --name "bench-$i" >/dev/null || die "up failed"
  echo $((($(now_us) - begin))) >>"$WORK/up"
  "$KUBELAN" down --name "bench-$i" >/dev/null
  "$BUILD_DIR/kernel_cost" 0 | sed 's/.*fabric_ms=\([0-9.]*\).*/\1/' >>"$WORK/fabric"
done
awk '{print $1/1000}' "$WORK/up" >"$WORK/up_ms"
echo "kubelan up                       $(stats <"$WORK/up_ms")"
echo "kernel alone, same namespaces    $(stats <"$WORK/fabric")"
echo "ratio of medians                 $(echo "$(median <"$WORK/up_ms") $(median <"$WORK/fabric")" | awk '{printf "%.1f", $1/$2}')"

echo "== first answer: from nothing to the first answered request to nginx-service by name (ms)"
for i in $(seq "$RUNS"); do
  begin=$(now_us)
  "$KUBELAN" run -f examples/nginx -- "$KUBELAN" enter pod/box -- sh -c 'curl -s -o /dev/null --max-time 5 http://nginx-service && date +%s%6N' >"$WORK/answered" || die "the request failed"
  echo $(($(cat "$WORK/answered") - begin)) >>"$WORK/first"
done
echo "kubelan run -f examples/nginx    $(awk '{print $1/1000}' "$WORK/first" | stats)"

echo "== idle: the whole cluster, 20 s after up, over 20 s"
"$KUBELAN" up --name bench-idle >/dev/null || die "up failed"
sleep 20
before=$(cluster_ticks)
sleep 20
after=$(cluster_ticks)
echo "memory (PSS of all processes)    $(cluster_pss | awk '{printf "%.1f MiB", $1/1024}')"
echo "CPU                              $(echo "$before $after $(getconf CLK_TCK)" | awk '{printf "%.3f %%", ($2-$1)/$3/20*100}')"
"$KUBELAN" down --name bench-idle >/dev/null
