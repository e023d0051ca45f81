# Custom resources: a definition, its objects with every kubectl, across a restart, and their end.
. tests/integration/lib.sh

DEFINITION=examples/crd/crontab-crd.yaml
OBJECT=examples/crd/crontab.yaml
NAME=crontabs.stable.example.com
says() { local want=$1; shift; "$@" 2>&1 | grep -qF -- "$want"; }
prints() { local want=$1; shift; [ "$("$@" 2>&1)" = "$want" ]; }

check "up" "$KUBELAN" up
for kubectl in $(kubectls | sort -u); do
  v=$("$kubectl" version --client 2>/dev/null | grep -oE '1\.[0-9]+\.|Minor:"[0-9]+' | head -1 | sed -E 's/Minor:"/1./; s/\.$//')
  k() { "$kubectl" "$@"; }
  check "$v create the definition" says "$NAME created" k apply -f "$DEFINITION"
  check "$v established at once" k wait --for=condition=established --timeout=10s "crd/$NAME"
  check "$v apply an object" says "crontab.stable.example.com/my-crontab created" k apply -f "$OBJECT"
  check "$v apply it again" k apply -f "$OBJECT"
  check "$v defaults" prints "1" k get ct my-crontab -o 'jsonpath={.spec.replicas}'
  check "$v columns" says "* * * * */5" k get crontabs
  check "$v category" says "crontab.stable.example.com/my-crontab" k get all
  check "$v explain" says "When to run." k explain crontab.spec.cronSpec
  check "$v unknown field" says 'unknown field "spec.bogus"' k patch ct my-crontab --type merge -p '{"spec":{"bogus":1}}'
  check "$v validation" says "spec.color: Unsupported value: \"blue\": supported values: \"red\", \"green\"" k patch ct my-crontab --type merge -p '{"spec":{"color":"blue"}}'
  check "$v merge patch" says "patched" k patch ct my-crontab --type merge -p '{"spec":{"color":"red"}}'
  check "$v JSON patch" says "patched" k patch ct my-crontab --type json -p '[{"op":"replace","path":"/spec/image","value":"other"}]'
  check "$v no strategic patch" says "application/merge-patch+json, application/apply-patch+yaml" k patch ct my-crontab -p '{"spec":{"image":"x"}}'
  check "$v generation follows the spec" prints "3" k get ct my-crontab -o 'jsonpath={.metadata.generation}'
  check "$v server-side apply" says "serverside-applied" k apply --server-side --force-conflicts -f "$OBJECT"
  check "$v label" says "labeled" k label ct my-crontab tier=one
  check "$v scale" says "scaled" k scale ct my-crontab --replicas=4
  check "$v scaled" prints "4" k get ct my-crontab -o 'jsonpath={.spec.replicas}'
  check "$v field selector" says "my-crontab" k get ct --field-selector spec.color=green
  check "$v field selector, none" says "No resources found" k get ct --field-selector spec.color=red
  check "$v field label that is not selectable" says "field label not supported: spec.image" k get ct --field-selector spec.image=x
  check "$v the other version" says "stable.example.com/v1beta1" k get crontabs.v1beta1.stable.example.com my-crontab -o yaml
  check "$v the other version warns" says "stable.example.com/v1beta1 CronTab is deprecated" k get crontabs.v1beta1.stable.example.com my-crontab
  check "$v describe" says "Cron Spec:" k describe ct my-crontab
  check "$v delete the definition" says "deleted" k delete crd "$NAME" --timeout=20s
  check "$v its objects are gone, too" says "the server" k get ct
  rm -rf "$HOME/.kube/cache"
done
k() { "$KUBECTL" "$@"; }

# A definition and its objects are there again after a restart; a finalizer holds both.
check "definition" says created k apply -f "$DEFINITION"
check "object" says created k apply -f "$OBJECT"
check "down, state kept" "$KUBELAN" down --keep-state
check "up again" "$KUBELAN" up
check "object is served again" says my-crontab k get ct -o name
check "finalizer" says patched k patch ct my-crontab --type merge -p '{"metadata":{"finalizers":["example.com/hold"]}}'
check "delete the definition" says deleted k delete crd "$NAME" --wait=false
check "it waits for the object" says Terminating k get crd "$NAME" -o 'jsonpath={.status.conditions[*].type}'
check "no new objects meanwhile" says "create not allowed while custom resource definition is terminating" k create -f <(sed 's/my-crontab/other/' "$OBJECT")
check "let go" says patched k patch ct my-crontab --type merge -p '{"metadata":{"finalizers":[]}}'
check "definition is gone" k wait --for=delete "crd/$NAME" --timeout=20s

# An owner of a custom kind takes its dependents along; a namespace takes its custom objects along.
check "definition again" says created k apply -f "$DEFINITION"
check "namespace" k create namespace tabs
check "object in it" k -n tabs apply -f "$OBJECT"
uid=$(k -n tabs get ct my-crontab -o 'jsonpath={.metadata.uid}')
check "dependent" k apply -f - <<YAML
apiVersion: v1
kind: ConfigMap
metadata:
  name: dependent
  namespace: tabs
  ownerReferences: [{apiVersion: stable.example.com/v1, kind: CronTab, name: my-crontab, uid: $uid}]
YAML
check "owner deleted" k -n tabs delete ct my-crontab
check "dependent follows" k -n tabs wait --for=delete configmap/dependent --timeout=20s
check "another object" k -n tabs apply -f "$OBJECT"
check "namespace deleted" k delete namespace tabs --timeout=30s

# Who owns what: metadata has its own type, whatever the definition says of the rest.
check "an object to own" k create -f - <<Y
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: owned, labels: {a: b}}
spec: {cronSpec: "* * * * *", image: x}
Y
check "its owner" prints '{"f:labels":{".":{},"f:a":{}}} {".":{},"f:cronSpec":{},"f:image":{},"f:replicas":{}}' \
  k get ct owned --show-managed-fields -o 'jsonpath={.metadata.managedFields[0].fieldsV1.f:metadata} {.metadata.managedFields[0].fieldsV1.f:spec}'

# Who may do what.
check "role" k create clusterrole tabs --verb=get,list --resource=crontabs.stable.example.com
check "binding" k create clusterrolebinding tabs --clusterrole=tabs --user=ann
check "may read" prints yes k auth can-i list crontabs.stable.example.com --as ann
check "may not write" says no k auth can-i create crontabs.stable.example.com --as ann
check "CEL is not evaluated" says "kubelan does not evaluate CEL" k apply -f - <<YAML
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rules.stable.example.com}
spec:
  group: stable.example.com
  scope: Cluster
  names: {plural: rules, kind: Rule}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-validations: [{rule: "has(self.metadata)"}]}}
YAML
check "a wrong definition" says 'must be spec.names.plural+"."+spec.group' k create -f <(sed 's/name: crontabs.stable.example.com/name: x.y.z/' "$DEFINITION")
check "down at the end" "$KUBELAN" down
finish
