"""Asks kubelan and another API server the same, and prints what they answer differently.

usage: compare.py OURS THEIRS [--kinds REGEX] [--only stored,created,updated] [--kubectl PATH]
OURS, THEIRS: kubeconfigs. Exit code 1 when there are differences that accepted.txt does not hold.
"""
import argparse
import base64
import os
import re
import subprocess
import sys
import tempfile
import time

import yaml

import differences
from mutations import Schemas, mutations
from servers import Server

HERE = os.path.dirname(os.path.abspath(__file__))
NAMESPACE = "peer"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
METADATA = {"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"}


def certificate_request():
    with tempfile.NamedTemporaryFile() as key:
        made = subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key.name, "-subj", "/O=g/CN=u"], check=True, capture_output=True)
    return base64.b64encode(made.stdout).decode()


def read_samples():
    class TimesAreText(yaml.SafeLoader):
        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in rows if tag != "tag:yaml.org,2002:timestamp"]
            for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    with open(os.path.join(HERE, "samples.yaml"), encoding="utf-8") as text:
        return list(yaml.load_all(text.read().replace("@CSR@", certificate_request()).replace("@NAMESPACE@", NAMESPACE), TimesAreText))


class Comparison:
    def __init__(self, ours, theirs):
        self.servers = (ours, theirs)
        self.accepted = differences.Accepted()
        self.asked = self.differ = 0

    def ask(self, title, method, path, body=None, headers=None):
        answers = [server.ask(method, path, body(server) if callable(body) else body, headers) for server in self.servers]
        found = differences.of_answers(title, *answers, self.accepted)
        self.asked += 1
        self.differ += bool(found)
        for place, ours, theirs in found[:20]:
            print(f"{title} {place}\n    ours:   {str(ours)[:500]}\n    theirs: {str(theirs)[:500]}")
        return answers

    def prepare(self):
        for server in self.servers:  # A server without controllers makes no account.
            server.ask("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
            server.ask("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}})

        with open(os.path.join(HERE, "definition.yaml"), encoding="utf-8") as text:
            definition = yaml.safe_load(text)
        for server in self.servers:
            server.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        for server in self.servers:
            for _ in range(100):  # Its document of types has it last.
                if b"com.example.peer." in server.ask("GET", "/openapi/v2").body:
                    break
                time.sleep(0.1)

    def stored(self, title, sample, path):
        one = path + "/" + sample["metadata"]["name"]
        self.ask(f"stored {title} create", "POST", path, sample)
        self.ask(f"stored {title} get", "GET", one)
        self.ask(f"stored {title} table", "GET", one, headers=TABLE)
        self.ask(f"stored {title} metadata", "GET", one, headers=METADATA)
        self.ask(f"stored {title} again", "POST", path, sample)
        self.ask(f"stored {title} same", "PUT", one, sample)

    def created(self, title, sample, path, schemas):
        for what, mutant in mutations(schemas, sample):
            self.ask(f"created {title} {what}", "POST", path + "?dryRun=All", mutant)

    def updated(self, title, sample, path, schemas):
        one = path + "/" + sample["metadata"]["name"]
        revisions = {server: server.ask("GET", one).json.get("metadata", {}).get("resourceVersion") for server in self.servers}
        for what, mutant in mutations(schemas, sample):

            def current(server, mutant=mutant):  # Some kinds are not updated without a revision.
                if not isinstance(mutant.get("metadata"), dict):
                    return mutant
                return dict(mutant, metadata=dict(mutant["metadata"], resourceVersion=revisions[server]))

            self.ask(f"updated {title} {what}", "PUT", one + "?dryRun=All", current)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("ours")
    arguments.add_argument("theirs")
    arguments.add_argument("--kinds", default=".", help="of samples, as Kind/name")
    arguments.add_argument("--only", default="stored,created,updated")
    arguments.add_argument("--kubectl", default="kubectl")
    options = arguments.parse_args()
    ours, theirs = Server(options.kubectl, options.ours), Server(options.kubectl, options.theirs)
    comparison = Comparison(ours, theirs)
    comparison.prepare()
    schemas = Schemas(theirs.ask("GET", "/openapi/v2").json)
    for sample in read_samples():
        title = f"{sample['kind']}/{sample['metadata']['name']}"
        path = theirs.path_of(sample, NAMESPACE)
        if not path or not re.search(options.kinds, title):
            continue
        before = (comparison.asked, comparison.differ)
        comparison.stored(title, sample, path)
        if "created" in options.only:
            comparison.created(title, sample, path, schemas)
        if "updated" in options.only:
            comparison.updated(title, sample, path, schemas)
        print(f"{title}: {comparison.asked - before[0]} answers, {comparison.differ - before[1]} differ", flush=True)
    print(f"{comparison.asked} answers, {comparison.differ} differ")
    return 1 if comparison.differ else 0


if __name__ == "__main__":
    sys.exit(main())
