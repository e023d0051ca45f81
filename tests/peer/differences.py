"""Two answers, compared after what differs from server to server has been named."""
import os
import re

NAMED = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"kube-api-access-[0-9a-z]{5}"), "kube-api-access-NAME"),
    (re.compile(r"10\.(9[6-9]|1[01]\d)\.\d+\.\d+"), "SERVICE-IP"),
    (re.compile(r"a{50,}"), "A-LONG-NAME"),
    (re.compile(r"\b(into Go struct field \S+ of type \S+|Go value of type \S+)"), "GO-TYPE"),
]
# Of a field by its name: (test of its value, name for it).
FIELDS = {
    "resourceVersion": (lambda v: isinstance(v, str) and v.isdigit() and v != "0", "REVISION"),
    "continue": (bool, "TOKEN"),
    "nodePort": (lambda v: isinstance(v, int) and v >= 30000, "NODE-PORT"),
    "healthCheckNodePort": (lambda v: isinstance(v, int) and v >= 30000, "NODE-PORT"),
}


def named(value, field=""):
    if field in FIELDS and FIELDS[field][0](value):
        return FIELDS[field][1]
    if isinstance(value, dict):
        return {k: named(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [named(v) for v in value]
    if isinstance(value, str):
        for pattern, name in NAMED:
            value = pattern.sub(name, value)
    return value


def of_trees(ours, theirs, path=""):
    """[(path, ours, theirs)]; ABSENT for what one of them lacks."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        out = []
        for key in sorted(set(ours) | set(theirs)):
            out += of_trees(ours.get(key, ABSENT), theirs.get(key, ABSENT), f"{path}.{key}")
        return out
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [d for i, (a, b) in enumerate(zip(ours, theirs)) for d in of_trees(a, b, f"{path}[{i}]")]
    return [] if type(ours) is type(theirs) and ours == theirs else [(path, ours, theirs)]


class Absent:
    def __repr__(self):
        return "-"


ABSENT = Absent()


class Accepted:
    """accepted.txt: a line is a pattern for "TITLE PATH"; what it matches is decided to be different, or not worth the same."""

    def __init__(self):
        self.patterns = []
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "accepted.txt"), encoding="utf-8") as lines:
            for line in lines:
                line = line.split(" # ")[0].strip()
                if line and not line.startswith("#"):
                    self.patterns.append(re.compile(line))

    def holds(self, title, path):
        return any(p.search(f"{title} {path}") for p in self.patterns)


def of_answers(title, ours, theirs, accepted):
    out = []
    if ours.status != theirs.status:
        out.append(("status", f"{ours.status} {ours.message}", f"{theirs.status} {theirs.message}"))
    elif ours.message != theirs.message and named(ours.message) != named(theirs.message):
        out.append(("message", ours.message, theirs.message))
    if ours.type != theirs.type:
        out.append(("type", ours.type, theirs.type))
    warnings = sorted(w for w in ours.warnings if "kubelan" not in w)  # Ours alone: what is not acted on.
    if warnings != sorted(theirs.warnings):
        out.append(("warnings", warnings, sorted(theirs.warnings)))
    if not out:
        if ours.json is None or theirs.json is None:
            out = [] if named(ours.body.decode("utf-8", "replace")) == named(theirs.body.decode("utf-8", "replace")) else [("body", ours.body[:300], theirs.body[:300])]
        else:
            out = of_trees(named(ours.json), named(theirs.json))
    return [d for d in out if not accepted.holds(title, d[0])]
