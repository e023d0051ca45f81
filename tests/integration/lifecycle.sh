# up, list, enter, run, down: alone, side by side, interrupted.
. tests/integration/lib.sh

printf 'apiVersion: v1\nkind: Config\nclusters:\n- cluster: {server: "https://example.test"}\n  name: other\ncontexts:\n- context: {cluster: other, user: "42"}\n  name: other\ncurrent-context: other\nusers:\n- name: "42"\n  user: {token: "007"}\n' >"$KUBECONFIG"
before=$(k config view --raw -o json | tr -d ' \n')
check "two clusters come up in parallel" bash -c "'$KUBELAN' up --name one & a=\$!; '$KUBELAN' up --name two --nodes 1 --ephemeral & b=\$!; wait \$a && wait \$b"
check_equal "both are listed" "one two" "$("$KUBELAN" list | awk 'NR>1 && $2=="Running" {print $1}' | xargs)"
check_equal "the kubeconfig is for its owner only" 600 "$(stat -c %a "$KUBECONFIG")"
check_equal "contexts were added beside the old one" "kubelan-one kubelan-two other" "$(k config get-contexts -o name | sort | xargs)"
check_equal "a quoted token stays a string" 007 "$(k config view --raw -o 'jsonpath={.users[?(@.name=="42")].user.token}')"
check_equal "cluster one has three nodes" 3 "$(k --context kubelan-one get nodes --no-headers | wc -l)"
check_equal "cluster two has one" 1 "$(k --context kubelan-two get nodes --no-headers | wc -l)"
check "anonymous requests are forbidden" bash -c "curl -sk --max-time 5 $(api_url --name one)/api | grep -q '\"code\": *403'"
check "the nodes reach each other" "$KUBELAN" enter --name one node/node-1 -- sh -c 'ip route get 172.30.0.12 && curl -sk --max-time 5 https://172.30.0.1:6443/version | grep -q gitVersion'
"$KUBELAN" enter --name one client -- sh -c 'exit 7'
check_equal "enter passes the exit code on" 7 $?
check_equal "client is another host" "lo eth0" "$("$KUBELAN" enter --name one client -- sh -c 'ls /sys/class/net 2>/dev/null; true; ip -o link | cut -d: -f2 | cut -d@ -f1 | xargs' | tail -1)"
check "down of one leaves the other" bash -c "'$KUBELAN' down --name one && '$KUBELAN' status --name two"
check "down --all" "$KUBELAN" down --all
check_equal "the user's own contexts are as before" "$(printf '%s' "$before" | sed 's/"current-context":"other"/"current-context":""/')" "$(k config view --raw -o json | tr -d ' \n')"

check "state is kept with --keep-state" bash -c "'$KUBELAN' up && '$KUBECTL' create -f examples/nginx/nginx.yaml && '$KUBELAN' down --keep-state && '$KUBELAN' up && '$KUBECTL' get service nginx-service && '$KUBELAN' down"
check_equal "and gone without" "" "$(find "$XDG_STATE_HOME" -mindepth 2)"

"$KUBELAN" run -- sh -c 'exit 3'
check_equal "run passes the exit code on" 3 $?
check_equal "run sets KUBECONFIG" 3 "$("$KUBELAN" run -- "$KUBECTL" get nodes --no-headers | wc -l)"
check "run -f waits until everything is up" "$KUBELAN" run -f examples/nginx -- "$KUBELAN" enter pod/box -- sh -c "curl -s --max-time 5 http://nginx-service | grep -q 'Welcome to nginx'"
check "cert makes a Secret for kubectl" "$KUBELAN" run -- sh -c "'$KUBELAN' cert web.test --secret web-tls | '$KUBECTL' apply -f - && '$KUBECTL' get secret web-tls -o 'jsonpath={.type}' | grep -qx kubernetes.io/tls"
check_error "a command that is not there" "cannot run nosuchcommand" "$KUBELAN" run -- nosuchcommand

"$KUBELAN" run -- sleep 1000 &
runner=$!
running() { "$KUBELAN" list | grep -q Running; }
check "a run is seen in list" until_true 10 running
marks=$(cluster_namespaces)
kill -9 $runner
ended() { [ -z "$(processes_in $marks)" ]; }
check "killing run -9 ends its cluster" until_true 15 ended

"$KUBELAN" up --name fg --foreground >/dev/null 2>&1 &
fg=$!
fg_up() { "$KUBELAN" status --name fg; }
check "up --foreground" until_true 10 fg_up
kill -INT $fg
wait $fg
check_equal "Ctrl-C ends it with code 0" 0 $?
check_equal "and its context is gone" "" "$(k config get-contexts -o name | grep kubelan-fg)"
exec 7>"$WORK/ready"
check "--ready-fd" "$KUBELAN" up --name fd --ready-fd 7
exec 7>&-
check "tells when it is ready" grep -q '"server":"https://127.0.0.1' "$WORK/ready"
check "down" "$KUBELAN" down --name fd
check "version" bash -c "'$KUBELAN' version | grep -q kubelan"
check "completion" bash -c "'$KUBELAN' completion bash | bash -n"
for verb in up down list status kubeconfig enter run publish cert version completion; do
  check "$verb --help has an example" bash -c "'$KUBELAN' $verb --help | grep -A1 Example | grep -q kubelan"
done
finish
