# A chart's whole life with every helm at hand: installed with hooks and a CRD, tested, upgraded, rolled back by hand and by
# itself, uninstalled.
. tests/integration/lib.sh
. tests/clients/helm/helms.sh

CHART=tests/clients/helm/chart
HELMS=$(helms)
[ -n "$HELMS" ] || { finish; exit; }

has() { # has PATTERN COMMAND...: succeeds and prints a line that matches.
  local pattern=$1 out
  shift
  out=$("$@" 2>&1) && printf '%s\n' "$out" | grep -qE -- "$pattern" || { printf '%s\n' "$out"; return 1; }
}
fails() { # fails PATTERN COMMAND...: exits otherwise than 0 and prints a line that matches.
  local pattern=$1 out
  shift
  if out=$("$@" 2>&1); then echo "succeeded: $out"; return 1; fi
  printf '%s\n' "$out" | grep -qE -- "$pattern" || { printf '%s\n' "$out"; return 1; }
}
n() { k -n shop "$@"; }
data() { n get configmap web -o "jsonpath={.data.$1}"; }
ready() { n get deployment web -o 'jsonpath={.status.readyReplicas}'; }

# whole_life VERSION FLAG...: FLAGs are those that roll a failed upgrade back.
whole_life() {
  local v=$1
  shift
  h() { "$HELM" -n shop "$@"; }
  check "$v install --wait with hooks and a CRD" has '^web says one \(revision 1\)' h install web "$CHART" --wait --timeout 120s --create-namespace
  check_equal "$v --wait waited for the pods" 2 "$(ready)"
  check_equal "$v lookup sees the cluster" "$(k -n kube-system get service kube-dns -o 'jsonpath={.spec.clusterIP}')" "$(data cluster-dns)"
  check "$v pre-install ran" has 'pre-install of revision 1' n logs job/web-pre-install
  check "$v post-install ran" has 'post-install of revision 1' n logs job/web-post-install
  check "$v no hook of another event ran" fails 'not found' n get job web-pre-upgrade
  check "$v hook-succeeded deletes a hook" fails 'not found' n get configmap web-before
  check_equal "$v the custom object has its default" "2 none" "$(n get shelf web -o 'jsonpath={.spec.books} {.spec.label}')"
  check "$v list" has '^web\s+shop\s+1\s.*\sdeployed\s' h list
  check "$v list -A" has '^web\s+shop\s+1\s.*\sdeployed\s' h list -A
  check "$v status" has '^STATUS: deployed' h status web
  check "$v the release is a Secret of helm's type" has '^helm.sh/release.v1 web deployed 1$' n get secrets -l owner=helm \
    -o 'jsonpath={.items[0].type} {.items[0].metadata.labels.name} {.items[0].metadata.labels.status} {.items[0].metadata.labels.version}'
  check "$v the cluster has what the manifest says" bash -o pipefail -c "'$HELM' -n shop get manifest web | '$KUBECTL' diff -n shop -f -"
  check "$v test --logs" has '^one$' h test web --logs --timeout 60s
  check "$v the same name again" fails 'cannot re-use a name that is still in use|cannot reuse a name' h install web "$CHART"
  check "$v install --dry-run=server" has 'cluster-dns: "10\.' h install other "$CHART" --dry-run=server
  check "$v a dry run leaves nothing" fails 'not found' n get configmap other
  n create configmap other >/dev/null
  check "$v an object that is no release's" fails 'invalid ownership metadata' h install other "$CHART"
  n delete configmap other >/dev/null
  check "$v uninstall of a failed release" h uninstall other --ignore-not-found

  check "$v upgrade --wait" has '^web says two \(revision 2\)' h upgrade web "$CHART" --wait --timeout 120s --set message=two,replicas=3
  check_equal "$v upgraded" "two 3" "$(data message) $(ready)"
  check "$v pre-upgrade ran" has 'pre-upgrade of revision 2' n logs job/web-pre-upgrade
  check "$v upgrade --reuse-values" has '^web says two \(revision 3\)' h upgrade web "$CHART" --wait --timeout 120s --reuse-values --set replicas=1
  check_equal "$v one value changed" "two 1" "$(data message) $(ready)"
  check_equal "$v the custom object changed" 1 "$(n get shelf web -o 'jsonpath={.spec.books}')"
  check "$v the server's word on a bad value" fails 'should be greater than or equal to 0|must be greater than or equal to 0' h upgrade web "$CHART" --set replicas=-1 --timeout 60s

  check "$v rollback --wait" has 'Rollback was a success' h rollback web 1 --wait --timeout 120s
  check_equal "$v rolled back" "one 2" "$(data message) $(ready)"
  check "$v post-rollback ran" has 'post-rollback of revision' n logs job/web-post-rollback
  check "$v history" has 'deployed .*Rollback to 1' h history web

  check "$v a failed upgrade is rolled back" fails 'has been rolled back|rolled back due to|rollback' h upgrade web "$CHART" "$@" --set image=nobody.example/none:1 --timeout 10s
  check_equal "$v as it was" "one 2 hashicorp/http-echo:1.0" "$(data message) $(ready) $(n get deployment web -o 'jsonpath={.spec.template.spec.containers[0].image}')"
  check "$v a failed hook fails the upgrade" fails 'pre-upgrade hooks failed' h upgrade web "$CHART" --set failHook=true --timeout 60s
  check "$v history says so" has '\sfailed\s+shop' h history web

  check "$v uninstall --wait" has 'release "web" uninstalled' h uninstall web --wait --timeout 60s
  check "$v pre-delete ran" has 'pre-delete of revision' n logs job/web-pre-delete
  check_equal "$v nothing of the chart is left" "" "$(n get all,configmaps,secrets,ingresses,roles,rolebindings,shelves,pdb,hpa -l app.kubernetes.io/managed-by=Helm -o name; n get deployments,statefulsets,shelves,ingresses -o name)"
  check "$v no release is left" fails 'release: not found' h status web
  n delete jobs,pods --all >/dev/null
  check "$v namespace gone" k delete namespace shop --timeout=60s
  check "$v the CRD stays until it is deleted" k delete crd shelves.shop.example.com --timeout=60s
}

check "up" "$KUBELAN" up
for HELM in $HELMS; do
  case $("$HELM" version --template '{{.Version}}') in
    v3.*) whole_life "$("$HELM" version --template '{{.Version}}')" --atomic ;;
    *) whole_life "$("$HELM" version --template '{{.Version}}')" --rollback-on-failure --wait ;;
  esac
done
check "down" "$KUBELAN" down
finish
