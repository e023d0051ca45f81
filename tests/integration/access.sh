# Who may do what, asked by real clients: every kubectl at hand, certificates made with openssl, and curl in a pod.
. tests/integration/lib.sh

has() { # has PATTERN COMMAND...: the output matches, whatever the exit code.
  local pattern=$1 out
  shift
  out=$("$@" 2>&1)
  printf '%s\n' "$out" | grep -qE -- "$pattern" || { printf '%s\n' "$out"; return 1; }
}
newer() { [ "$(printf '%s\n' "$1" "$v" | sort -V | head -1)" = "$1" ]; } # newer v1.24: this kubectl is, or is that one.
in_pod() { # in_pod PATH: what a pod's curl gets with its own token.
  k exec box -- sh -c 'd=/var/run/secrets/kubernetes.io/serviceaccount; curl -s --cacert $d/ca.crt -H "Authorization: Bearer $(cat $d/token)" https://kubernetes.default.svc'"$1"
}

check "up" "$KUBELAN" up
URL=$(api_url)
CONFIG=$(k config view --raw --minify -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}')
printf '%s' "$CONFIG" | base64 -d >"$WORK/ca.crt"

check "nobody may read health" has '^ok$' curl -s --cacert "$WORK/ca.crt" "$URL/readyz"
check "nobody may read nothing else" has '"message": *"pods is forbidden: User \\"system:anonymous\\" cannot list resource' curl -s --cacert "$WORK/ca.crt" "$URL/api/v1/pods"
check "a wrong token is refused" has '"code": *401' curl -s --cacert "$WORK/ca.crt" -H 'Authorization: Bearer x' "$URL/api"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/O=system:masters/CN=me' -keyout "$WORK/own.key" -out "$WORK/own.crt" 2>/dev/null
check "a certificate of another CA is refused" has '"code": *401' curl -s --cacert "$WORK/ca.crt" --cert "$WORK/own.crt" --key "$WORK/own.key" "$URL/api"

k run box --image=busybox --restart=Never --command -- sleep 3600 >/dev/null
check "a pod to ask from" k wait --for=condition=Ready pod/box --timeout=60s
check "pods may do nothing" has 'User \\"system:serviceaccount:default:default\\" cannot list resource \\"pods\\"' in_pod /api/v1/namespaces/default/pods
check "but discover" has '"APIGroupList"' in_pod /apis
k create rolebinding box --clusterrole=view --serviceaccount=default:default >/dev/null
check "until they get a role" has '"PodList"' in_pod /api/v1/namespaces/default/pods
check "which is of one namespace" has 'cannot list' in_pod /api/v1/namespaces/kube-system/pods
check "view sees no secrets" has 'cannot list' in_pod /api/v1/namespaces/default/secrets
check "the issuer's keys are there for pods" has '"EC"' in_pod /openid/v1/jwks
k delete rolebinding box >/dev/null

for kubectl in $(kubectls | sort -u); do
  v=$("$kubectl" version --client 2>/dev/null | grep -oE 'v1\.[0-9]+' | head -1)
  k() { "$kubectl" "$@"; }
  check "$v create namespace" has 'created' k create namespace a
  check "$v create serviceaccount" has 'serviceaccount/bot created' k create serviceaccount bot -n a
  check "$v create role" has 'role.rbac.authorization.k8s.io/reader created' k create role reader --verb=get,list --resource=pods,pods/log -n a
  check "$v create role with names" has 'created' k create role one --verb=get --resource=configmaps --resource-name=x -n a
  check "$v create clusterrole" has 'clusterrole.rbac.authorization.k8s.io/nodes created' k create clusterrole nodes --verb=list --resource=nodes
  check "$v create clusterrole of paths" has 'created' k create clusterrole metrics --verb=get --non-resource-url=/metrics
  check "$v create rolebinding" has 'rolebinding.rbac.authorization.k8s.io/reader created' k create rolebinding reader --role=reader --serviceaccount=a:bot --user=alice -n a
  check "$v create clusterrolebinding" has 'clusterrolebinding.rbac.authorization.k8s.io/nodes created' k create clusterrolebinding nodes --clusterrole=nodes --group=ops
  check "$v get rolebindings -o wide" has 'reader +Role/reader +[0-9]+s +alice +a/bot' k get rolebindings -n a -o wide
  check "$v get roles" has '^reader +20[0-9]{2}-' k get roles -n a
  check "$v describe role" has 'pods/log +\[\] +\[\] +\[get list\]' k describe role reader -n a
  check "$v can-i, admin" has '^yes$' k auth can-i '*' '*'
  check "$v can-i" has '^yes$' k auth can-i list pods -n a --as alice
  check "$v can-i, not" has '^no$' k auth can-i create pods -n a --as alice
  check "$v can-i, a subresource" has '^yes$' k auth can-i get pods/log -n a --as alice
  check "$v can-i, as a group" has '^yes$' k auth can-i list nodes --as bob --as-group ops
  check "$v can-i, a path" has '^yes$' k auth can-i get /version --as bob
  check "$v can-i --list" has 'pods/log +\[\] +\[\] +\[get list\]' k auth can-i --list -n a --as alice
  check "$v --as" has 'Error from server \(Forbidden\): pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"' k get pods --as alice
  check "$v --as, allowed" has 'No resources found' k get pods -n a --as alice
  k create rolebinding granter --clusterrole=admin --user=alice -n a >/dev/null
  check "$v nobody grants more than they have" has 'attempting to grant RBAC permissions not currently held' k create rolebinding more --clusterrole=cluster-admin --user=alice -n a --as alice
  check "$v but what they have" has 'rolebinding.rbac.authorization.k8s.io/same created' k create rolebinding same --clusterrole=view --user=bob -n a --as alice
  k delete rolebinding granter -n a >/dev/null
  printf 'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: reader, namespace: a}\nrules: [{apiGroups: [""], resources: [services], verbs: [get]}]\n' >"$WORK/role.yaml"
  check "$v auth reconcile" has 'role.rbac.authorization.k8s.io/reader reconciled' k auth reconcile -f "$WORK/role.yaml"
  check "$v which adds" has '^yes$' k auth can-i get services -n a --as alice
  if newer v1.24; then
    check "$v create token" sh -c "'$kubectl' create token bot -n a --duration=10m >'$WORK/token'"
    check "$v the token is the account's" has 'User "system:serviceaccount:a:bot" cannot list resource "nodes"' k get nodes --token "$(cat "$WORK/token")" --kubeconfig <(k config view --raw --minify | sed '/client-certificate-data/d; /client-key-data/d')
  fi
  newer v1.28 && check "$v auth whoami" has 'kubernetes-admin' k auth whoami
  # A user of one's own, by certificate.
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /O=devs/CN=jane -keyout "$WORK/jane.key" -out "$WORK/jane.csr" 2>/dev/null
  printf 'apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {name: jane}\nspec: {request: %s, signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}\n' "$(base64 -w0 "$WORK/jane.csr")" >"$WORK/csr.yaml"
  check "$v create a certificate request" has 'jane created' k create -f "$WORK/csr.yaml"
  check "$v get csr" has '^jane +[0-9]+s +kubernetes.io/kube-apiserver-client +kubernetes-admin .*Pending' k get csr
  check "$v certificate approve" has 'certificatesigningrequest.certificates.k8s.io/jane approved' k certificate approve jane
  check "$v it is issued" until_true 10 sh -c "'$kubectl' get csr jane | grep -q Approved,Issued"
  k get csr jane -o 'jsonpath={.status.certificate}' | base64 -d >"$WORK/jane.crt"
  jane() { "$kubectl" --kubeconfig "$WORK/jane.config" "$@"; }
  printf 'apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: "%s", certificate-authority: ca.crt}}]\nusers: [{name: jane, user: {client-certificate: jane.crt, client-key: jane.key}}]\ncontexts: [{name: c, context: {cluster: c, user: jane}}]\n' "$URL" >"$WORK/jane.config"
  check "$v jane is known" has 'User "jane" cannot list resource "pods"' jane get pods
  k create rolebinding devs --clusterrole=edit --group=devs >/dev/null
  check "$v her group may edit" has 'configmap/made created' jane create configmap made --from-literal=a=b
  check "$v certificate deny" has 'denied' sh -c "sed 's/{name: jane}/{name: joe}/' '$WORK/csr.yaml' | '$kubectl' create -f - && '$kubectl' certificate deny joe"
  k delete rolebinding/devs configmap/made csr/jane csr/joe clusterrole/nodes clusterrole/metrics clusterrolebinding/nodes >/dev/null
  k delete namespace a >/dev/null
done
k() { "$KUBECTL" "$@"; }
printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: old, annotations: {kubernetes.io/service-account.name: default}}\ntype: kubernetes.io/service-account-token\n' | k apply -f - >/dev/null
check "a Secret gets a token" until_true 10 sh -c "'$KUBECTL' get secret old -o 'jsonpath={.data.token}' | grep -q ."
check "which is good" has 'serviceaccount:default:default' curl -s --cacert "$WORK/ca.crt" -H "Authorization: Bearer $(k get secret old -o 'jsonpath={.data.token}' | base64 -d)" "$URL/api/v1/pods"
OLD=$(k get secret old -o 'jsonpath={.data.token}' | base64 -d)
check "roles are kept over a restart" sh -c "'$KUBECTL' create clusterrolebinding kept --clusterrole=view --user=alice >/dev/null && '$KUBELAN' down --keep-state && '$KUBELAN' up"
check "and tokens stay good" has "serviceaccount:default:default" curl -s --cacert "$WORK/ca.crt" -H "Authorization: Bearer $OLD" "$(api_url)/api/v1/pods"
check "and count" has '^yes$' k auth can-i list pods --as alice
check "down" "$KUBELAN" down
finish
