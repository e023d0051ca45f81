# kill -9 in the middle of a loop of writes: every acknowledged object is there after the restart, the network
# answers again, and nothing stays behind in between.
. tests/integration/lib.sh

pid_of() { # The daemon or keeper of cluster "crash", by its state folder.
  local exe pid
  for exe in /proc/[0-9]*/exe; do
    [ "$(readlink "$exe" 2>/dev/null)" = "$KUBELAN" ] || continue
    pid=${exe#/proc/} && pid=${pid%/exe}
    [ "$(cat "/proc/$pid/comm")" = "$1" ] && echo "$pid"
  done | head -1
}

writer() { # Creates ConfigMaps until it fails; logs the name of each that was acknowledged.
  local n=0
  while [ $n -lt 2000 ]; do
    curl -sf --max-time 5 --cacert "$WORK/ca" --cert "$WORK/cert" --key "$WORK/key" -o /dev/null -H 'Content-Type: application/json' \
      -d "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"w-$1-$n\"}}" "$SERVER/api/v1/namespaces/default/configmaps" || return
    echo "w-$1-$n" >>"$WORK/acked-$1"
    n=$((n + 1))
  done
}

check "up with nginx" "$KUBELAN" up --name crash -f examples/nginx
SERVER=$(api_url --name crash)
cp "$WORK/state/kubelan/crash/pki/ca.crt" "$WORK/ca"
cp "$WORK/state/kubelan/crash/pki/admin.crt" "$WORK/cert"
cp "$WORK/state/kubelan/crash/pki/admin.key" "$WORK/key"
check "rollout" k rollout status deployment/nginx-deployment --timeout=60s
check "box is Ready" k wait --for=condition=Ready pod/box --timeout=60s

for victim in kubelan kubelan-keeper; do
  rm -f "$WORK"/acked-*
  marks=$(cluster_namespaces)
  writer a & a=$!
  writer b & b=$!
  sleep 0.7
  kill -9 "$(pid_of $victim)"
  wait $a $b
  acked=$(cat "$WORK"/acked-* | sort)
  check "some writes were acknowledged before $victim was killed" test -n "$acked"
  gone() { [ -z "$(processes_in $marks)" ]; }
  check "no process outlives the kill of $victim" until_true 10 gone
  check "up again" "$KUBELAN" up --name crash
  up_at=$(date +%s%N)
  answers() { "$KUBELAN" enter --name crash pod/box -- curl -s --max-time 1 http://nginx-service | grep -q 'Welcome to nginx!'; }
  check "the Service answers again" until_true 20 answers
  echo "      $((($(date +%s%N) - up_at) / 1000000)) ms after up returned"
  have=$(k get configmaps -o name | sed 's,configmap/,,' | sort)
  check_equal "every acknowledged object is there" "" "$(comm -23 <(printf '%s\n' "$acked") <(printf '%s\n' "$have"))"
  k delete configmaps --all >/dev/null
done
check "down" "$KUBELAN" down --name crash
finish
