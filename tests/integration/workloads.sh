# StatefulSets, DaemonSets, Jobs, CronJobs, sidecars, claims, evictions: what kubectl sees of each, on real nodes.
. tests/integration/lib.sh

cat >"$WORK/sets.yaml" <<'YAML'
apiVersion: v1
kind: Service
metadata: {name: nginx}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: nginx
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: nginx, image: "nginx:1.25", volumeMounts: [{name: data, mountPath: /data}]}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: nginx, image: "nginx:1.25"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 3
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: nginx, image: "nginx:1.25"}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: app}
spec: {minAvailable: 3, selector: {matchLabels: {app: app}}}
YAML

cat >"$WORK/jobs.yaml" <<'YAML'
apiVersion: batch/v1
kind: Job
metadata: {name: indexed}
spec:
  completions: 3
  parallelism: 2
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers: [{name: c, image: busybox, command: [sh, -c, 'echo $JOB_COMPLETION_INDEX $(hostname)']}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: bad}
spec:
  podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [42]}}]}
  template:
    spec:
      restartPolicy: Never
      containers: [{name: c, image: busybox, command: [sh, -c, 'exit 42']}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: sidecar}
spec:
  template:
    spec:
      restartPolicy: Never
      initContainers:
      - {name: s, image: busybox, restartPolicy: Always, command: [sh, -c, 'trap "echo bye; exit 0" TERM; while true; do sleep 0.1; done']}
      containers: [{name: c, image: busybox, command: ["true"]}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: short}
spec:
  ttlSecondsAfterFinished: 0
  template:
    spec: {restartPolicy: OnFailure, containers: [{name: c, image: busybox, command: ["true"]}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "@every 1s"
  successfulJobsHistoryLimit: 2
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: ["true"]}]}
YAML

path() { k get "$1" -o "jsonpath=$2"; }
is() { [ "$(path "$1" "$2")" = "$3" ]; }

check "up" "$KUBELAN" up
check "apply sets" k apply -f "$WORK/sets.yaml"
check "rollout status of a StatefulSet" k rollout status sts/web --timeout=60s
check "rollout status of a DaemonSet" k rollout status ds/agent --timeout=60s
check_equal "names last" "web-0 web-1" "$(path pods '{.items[?(@.metadata.labels.app=="web")].metadata.name}')"
check "a pod's name in DNS" k exec web-1 -- getent hosts web-0.nginx.default.svc.cluster.local
check_equal "a daemon on every node" 3 "$(path ds/agent '{.status.numberReady}')"
check "claims are bound" is pvc/data-web-0 '{.status.phase}' Bound
check "what is written to a claim" k exec web-0 -- sh -c 'echo kept >/data/file'
check "set image" k set image sts/web nginx=nginx:1.26
check "the StatefulSet rolls" k rollout status sts/web --timeout=60s
check_equal "is there in the pod that follows" kept "$(k exec web-0 -- cat /data/file)"
check "undo" k rollout undo sts/web
check "and back" k rollout status sts/web --timeout=60s
check_equal "the first image again" "nginx:1.25 nginx:1.25" "$(path pods '{.items[?(@.metadata.labels.app=="web")].spec.containers[0].image}')"
check_equal "history has both" 2 "$(k rollout history sts/web | grep -c '<none>')"
check "restart a DaemonSet" k rollout restart ds/agent
check "it rolls node by node" k rollout status ds/agent --timeout=60s
check "undo a DaemonSet" k rollout undo ds/agent --to-revision=1
check "it rolls back" k rollout status ds/agent --timeout=60s
check "scale" k scale sts/web --replicas=1
check "to one" until_true 20 is sts/web '{.status.replicas}' 1
check "its claim stays" k get pvc data-web-1

check "apply jobs" k apply -f "$WORK/jobs.yaml"
check "an indexed job completes" k wait --for=condition=complete job/indexed --timeout=60s
check_equal "each index once" "0 indexed-0,1 indexed-1,2 indexed-2," "$(k logs -l job-name=indexed --tail=-1 | sort | tr '\n' ,)"
check "a failure ends a job" k wait --for=condition=failed job/bad --timeout=60s
check_equal "for the reason its policy says" PodFailurePolicy "$(path job/bad '{.status.conditions[-1:].reason}')"
check "a sidecar does not hold a job up" k wait --for=condition=complete job/sidecar --timeout=60s
check_equal "and is asked to go" bye "$(k logs job/sidecar -c s)"
check "a job with no time to live goes" k wait --for=delete job/short --timeout=60s
check "a CronJob makes jobs" until_true 30 sh -c "'$KUBECTL' get cronjob tick -o 'jsonpath={.status.lastSuccessfulTime}' | grep -q T"
check "a job from it by hand" k create job manual --from=cronjob/tick
check "completes" k wait --for=condition=complete job/manual --timeout=60s
check "suspend it" k patch cronjob tick --type=merge -p '{"spec":{"suspend":true}}'
check "delete jobs" k delete job indexed bad sidecar manual --timeout=30s
check "their pods go" until_true 20 sh -c "! '$KUBECTL' get pods -l job-name=indexed -o name | grep ."

check "rollout status of the Deployment" k rollout status deploy/app --timeout=60s
check "its budget is full" until_true 20 is pdb/app '{.status.currentHealthy}' 3
node=$(path pods '{.items[?(@.metadata.labels.app=="app")].spec.nodeName}' | cut -d' ' -f1)
out=$(k drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout=1s 2>&1)
check "a drain is refused" sh -c "printf '%s' \"\$1\" | grep -q \"Cannot evict pod as it would violate the pod's disruption budget.\"" _ "$out"
check "less is enough" k patch pdb app --type=merge -p '{"spec":{"minAvailable":1}}'
check "a drain goes through" k drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout=60s
check_equal "only daemons are left" agent "$(k get pods --field-selector spec.nodeName="$node",status.phase=Running -o 'jsonpath={.items[*].metadata.labels.app}')"
check "uncordon" k uncordon "$node"
check "autoscale" k autoscale deployment app --min=4 --max=5 --cpu-percent=50
check "its bounds are kept" until_true 20 is deploy/app '{.spec.replicas}' 4
check_equal "and metrics are missed" FailedGetResourceMetric "$(path hpa/app '{.status.conditions[?(@.type=="ScalingActive")].reason}')"
finish
