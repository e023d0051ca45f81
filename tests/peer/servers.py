"""An API server that is asked over TLS, and what it answers."""
import base64
import http.client
import json
import re
import ssl
import subprocess
import tempfile


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        headers = [(name.lower(), value) for name, value in headers]
        self.type = next((value for name, value in headers if name == "content-type"), "").split(";")[0]
        self.warnings = [value for name, value in headers if name == "warning"]
        try:
            self.json = json.loads(body)
        except ValueError:
            self.json = None

    @property
    def message(self):
        return self.json.get("message", "") if self.status >= 400 and isinstance(self.json, dict) else ""


class Server:
    """`kubeconfig`: with a client certificate. Only servers on the loopback address are asked."""

    def __init__(self, kubectl, kubeconfig):
        view = subprocess.check_output([kubectl, "--kubeconfig", kubeconfig, "config", "view", "--raw", "--flatten", "--minify", "-o", "json"])
        config = json.loads(view)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        where = re.fullmatch(r"https://(127\.0\.0\.1|localhost):(\d+)/?", cluster["server"])
        if not where:
            raise SystemExit(f"{kubeconfig}: {cluster['server']} is not on 127.0.0.1")
        self.host, self.port = where.group(1), int(where.group(2))
        self.tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        self.tls.check_hostname = False
        with tempfile.NamedTemporaryFile() as pair:
            for part in ("client-certificate-data", "client-key-data"):
                pair.write(base64.b64decode(user[part]) + b"\n")
            pair.flush()
            self.tls.load_cert_chain(pair.name)
        self.connection = None
        self.kinds_ = None

    def ask(self, method, path, body=None, headers=None):
        sent = {"Accept": "application/json", "User-Agent": "compare/1"}
        if body is not None:
            sent["Content-Type"] = "application/json"
            body = body if isinstance(body, (str, bytes)) else json.dumps(body)
        sent.update(headers or {})
        for last in (False, True):
            if self.connection is None:
                self.connection = http.client.HTTPSConnection(self.host, self.port, context=self.tls, timeout=30)
            try:
                self.connection.request(method, path, body=body, headers=sent)
                answer = self.connection.getresponse()
                return Answer(answer.status, answer.getheaders(), answer.read())
            except (http.client.HTTPException, OSError):
                self.connection.close()
                self.connection = None
                if last:
                    return Answer(0, [], b"")  # It does not answer this: a crash of its handler.

    def kinds(self):
        """(apiVersion, kind) -> (path of the version, plural, namespaced)"""
        if self.kinds_ is None:
            self.kinds_ = {}
            versions = ["/api/v1"] + ["/apis/" + v["groupVersion"] for g in self.ask("GET", "/apis").json["groups"] for v in g["versions"]]
            for version in versions:
                for row in (self.ask("GET", version).json or {}).get("resources", []):
                    if "/" not in row["name"]:
                        self.kinds_[(version.split("/", 2)[2], row["kind"])] = (version, row["name"], row["namespaced"])
        return self.kinds_

    def path_of(self, sample, namespace):
        """None: the server does not have the kind."""
        found = self.kinds().get((sample["apiVersion"], sample["kind"]))
        if not found:
            return None
        version, plural, namespaced = found
        return version + (f"/namespaces/{namespace}" if namespaced else "") + "/" + plural
