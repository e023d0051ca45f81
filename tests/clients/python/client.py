"""What programs do with the official Python client. Prints "pass NAME" or "FAIL NAME: why" a line, "end" last."""

import threading
import time

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import ConflictError
from kubernetes.stream import portforward, stream

NS = "default"
config.load_kube_config()
core = client.CoreV1Api()
apps = client.AppsV1Api()


def equal(want, got):
    if want != got:
        raise AssertionError(f"want {want!r}, got {got!r}")


def config_map(name, **data):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"set": "python"}), data=data)


def expect_code(code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ApiException as e:
        equal(code, e.status)
        return e
    raise AssertionError(f"no error, wanted {code}")


def wait_for(what, condition, seconds=30):
    deadline = time.time() + seconds
    while not condition():
        if time.time() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def crud():
    made = core.create_namespaced_config_map(NS, config_map("crud", a="1"))
    equal("python", made.metadata.labels["set"])
    made.data["a"] = "2"
    changed = core.replace_namespaced_config_map("crud", NS, made)
    equal({"a": "2"}, changed.data)
    made.data["a"] = "3"
    expect_code(409, core.replace_namespaced_config_map, "crud", NS, made)  # made has the old resourceVersion.
    expect_code(409, core.create_namespaced_config_map, NS, config_map("crud"))
    listed = core.list_namespaced_config_map(NS, label_selector="set=python", field_selector="metadata.name=crud")
    equal(["crud"], [c.metadata.name for c in listed.items])
    deleted = core.delete_namespaced_config_map("crud", NS)
    equal("Success", deleted["status"] if isinstance(deleted, dict) else deleted.status)  # Newer clients return what was sent.
    expect_code(404, core.read_namespaced_config_map, "crud", NS)


def paging():
    for i in range(5):
        core.create_namespaced_config_map(NS, config_map(f"page-{i}"))
    names, token = [], None
    while True:
        page = core.list_namespaced_config_map(NS, label_selector="set=python", limit=2, _continue=token)
        names += [c.metadata.name for c in page.items]
        token = page.metadata._continue
        if not token:
            break
    equal([f"page-{i}" for i in range(5)], names)
    core.delete_collection_namespaced_config_map(NS, label_selector="set=python")
    equal(0, len(core.list_namespaced_config_map(NS, label_selector="set=python").items))


def patches():
    core.create_namespaced_service(NS, client.V1Service(metadata=client.V1ObjectMeta(name="patched"), spec=client.V1ServiceSpec(
        selector={"app": "x"}, ports=[client.V1ServicePort(name="a", port=80)])))
    s = core.patch_namespaced_service("patched", NS, {"spec": {"ports": [{"name": "b", "port": 81}]}})  # A dict: strategic.
    equal([81, 80], [p.port for p in s.spec.ports])  # A strategic merge puts what is new first, as upstream.
    s = core.patch_namespaced_service("patched", NS, [{"op": "replace", "path": "/spec/ports/0/port", "value": 82}])  # A list: JSON patch.
    equal([82, 80], [p.port for p in s.spec.ports])
    s = core.patch_namespaced_service("patched", NS, {"spec": {"ports": [{"name": "c", "port": 83}]}}, _content_type="application/merge-patch+json")
    equal([83], [p.port for p in s.spec.ports])
    applied = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "patched", "labels": {"by": "apply"}}}
    s = core.patch_namespaced_service("patched", NS, applied, _content_type="application/apply-patch+yaml", field_manager="python", force=True)
    equal("apply", s.metadata.labels["by"])
    core.delete_namespaced_service("patched", NS)


def watching():
    start = core.list_namespaced_config_map(NS).metadata.resource_version
    core.create_namespaced_config_map(NS, config_map("seen"))
    core.patch_namespaced_config_map("seen", NS, {"data": {"a": "1"}})
    core.delete_namespaced_config_map("seen", NS)
    events = []
    w = watch.Watch()
    for event in w.stream(core.list_namespaced_config_map, NS, label_selector="set=python", resource_version=start, timeout_seconds=10):
        events.append((event["type"], event["object"].metadata.name))
        if len(events) == 3:
            w.stop()
    equal([("ADDED", "seen"), ("MODIFIED", "seen"), ("DELETED", "seen")], events)


def pods_up():
    utils.create_from_yaml(client.ApiClient(), yaml_objects=[
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "box"}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [
            {"name": "box", "image": "busybox", "command": ["sh", "-c", "echo one; echo two; exec sleep 1000"]}]}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "nginx"}]}},
    ], namespace=NS)
    for name in ("box", "web"):
        wait_for(name, lambda: core.read_namespaced_pod_status(name, NS).status.phase == "Running")


def logs():
    wait_for("both lines", lambda: core.read_namespaced_pod_log("box", NS) == "one\ntwo\n")
    equal("two\n", core.read_namespaced_pod_log("box", NS, tail_lines=1))
    w = watch.Watch()
    for line in w.stream(core.read_namespaced_pod_log, "box", NS):  # follow=True
        equal("one", line)
        w.stop()


def run_in_pod():
    out = stream(core.connect_get_namespaced_pod_exec, "box", NS, command=["sh", "-c", "echo out; echo err >&2"], stderr=True, stdin=False, stdout=True, tty=False)
    equal(sorted("out err".split()), sorted(out.split()))
    session = stream(core.connect_get_namespaced_pod_exec, "box", NS, command=["sh", "-c", "read a; echo got $a; exit 7"], stderr=True, stdin=True, stdout=True,
                     tty=False, _preload_content=False)
    session.write_stdin("this\n")
    session.run_forever(timeout=20)
    equal("got this\n", session.read_stdout(timeout=1))
    equal(7, session.returncode)
    session.close()


def forwarded():
    forward = portforward(core.connect_get_namespaced_pod_portforward, "web", NS, ports="80")
    socket = forward.socket(80)
    socket.setblocking(True)
    socket.settimeout(20)
    socket.sendall(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
    answer = b""
    while part := socket.recv(4096):
        answer += part
    socket.close()
    equal(b"HTTP/1.1 200 OK", answer.split(b"\r\n")[0])
    equal(None, forward.error(80))


def dynamic_client():
    d = dynamic.DynamicClient(client.ApiClient())
    tabs = d.resources.get(api_version="stable.example.com/v1", kind="CronTab")
    body = {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "tab"}, "spec": {"cronSpec": "* * * * */5", "image": "x"}}
    made = tabs.create(body=body, namespace=NS)
    equal(1, made.spec.replicas)
    changed = tabs.patch(name="tab", namespace=NS, body={"spec": {"replicas": 2}}, content_type="application/merge-patch+json")
    equal(2, changed.spec.replicas)
    stale = dict(body, metadata={"name": "tab", "resourceVersion": made.metadata.resourceVersion})
    try:
        tabs.replace(body=stale, namespace=NS)
        raise AssertionError("a stale write was accepted")
    except ConflictError:
        pass
    applied = tabs.server_side_apply(body=dict(body, spec={"cronSpec": "* * * * */9"}), name="tab", namespace=NS, field_manager="python", force_conflicts=True)
    equal("* * * * */9", applied.spec.cronSpec)
    for event in tabs.watch(namespace=NS, timeout=5):
        equal("ADDED", event["type"])
        break
    equal(["tab"], [t.metadata.name for t in tabs.get(namespace=NS).items])
    tabs.delete(name="tab", namespace=NS)


def deployment_status():
    labels = {"app": "py"}
    template = client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels=labels), spec=client.V1PodSpec(containers=[client.V1Container(name="c", image="nginx")]))
    apps.create_namespaced_deployment(NS, client.V1Deployment(metadata=client.V1ObjectMeta(name="py"), spec=client.V1DeploymentSpec(
        replicas=1, selector=client.V1LabelSelector(match_labels=labels), template=template)))
    apps.patch_namespaced_deployment_scale("py", NS, {"spec": {"replicas": 2}})
    wait_for("two replicas", lambda: apps.read_namespaced_deployment_status("py", NS).status.ready_replicas == 2)
    apps.delete_namespaced_deployment("py", NS)


def elected():
    from kubernetes.leaderelection import electionconfig, leaderelection
    try:
        from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock as Lock
    except ImportError:
        from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock as Lock
    leaders = []
    done = threading.Event()

    def candidate(name):
        def lead():
            leaders.append(name)
            done.wait(20)
        leaderelection.LeaderElection(electionconfig.Config(Lock("election", NS, name), lease_duration=3, renew_deadline=2, retry_period=1,
                                                            onstarted_leading=lead, onstopped_leading=lambda: None)).run()

    for name in ("one", "two"):
        threading.Thread(target=candidate, args=(name,), daemon=True).start()
    wait_for("a leader", lambda: leaders)
    time.sleep(4)  # Longer than a lease: it is renewed, or there would be a second.
    equal(1, len(leaders))
    done.set()


def access():
    allowed = client.AuthorizationV1Api().create_self_subject_access_review(client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(
        resource_attributes=client.V1ResourceAttributes(verb="create", resource="pods", namespace=NS))))
    equal(True, allowed.status.allowed)
    token = core.create_namespaced_service_account_token("default", NS, client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[])))
    other = client.Configuration.get_default_copy()
    other.cert_file = other.key_file = None
    other.api_key = {"authorization": "Bearer " + token.status.token}
    expect_code(403, client.CoreV1Api(client.ApiClient(other)).list_namespaced_pod, NS)


for check in (crud, paging, patches, watching, dynamic_client, access, pods_up, logs, run_in_pod, forwarded, deployment_status, elected):
    try:
        check()
        print(f"pass python {check.__name__}", flush=True)
    except BaseException as e:  # A client that exits has failed, too.
        print(f"FAIL python {check.__name__}: {type(e).__name__}: {str(e)!r}"[:600], flush=True)
print("end", flush=True)
