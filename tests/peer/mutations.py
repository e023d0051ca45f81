"""Every field of a sample made wrong in every way that its type can be, every other field of its kind added."""
import copy
import re

REMOVED = object()
# Identity and what the server writes.
SKIPPED = re.compile(r"^(apiVersion|kind|status|metadata\.(name|namespace|managedFields|uid|creationTimestamp|deletion.*|selfLink|generation|generateName|resourceVersion))$")


class Schemas:
    """Of `/openapi/v2`, which names every field with its type."""

    def __init__(self, document):
        self.definitions = document["definitions"]
        self.by_kind = {}
        for name, definition in self.definitions.items():
            for gvk in definition.get("x-kubernetes-group-version-kind", []):
                version = gvk["group"] + "/" + gvk["version"] if gvk["group"] else gvk["version"]
                self.by_kind[(version, gvk["kind"])] = definition

    def of(self, sample):
        return self.by_kind.get((sample["apiVersion"], sample["kind"]), {})

    def resolved(self, schema):
        while "$ref" in (schema or {}):
            schema = self.definitions[schema["$ref"].split("/")[-1]]
        return schema or {}

    def type_of(self, schema):
        schema = self.resolved(schema)
        if schema.get("format") == "int-or-string":
            return "int-or-string"
        return schema.get("type", "object" if "properties" in schema else "any")


def wrong_values(value):
    if isinstance(value, str):
        out = [("empty", ""), ("bad", "Bad_Value!"), ("number", 5), ("null", None), ("long", "a" * 260), ("object", {})]
    elif isinstance(value, bool):
        out = [("text", "x"), ("flipped", not value), ("null", None)]
    elif isinstance(value, int):
        out = [("negative", -1), ("zero", 0), ("large", 70000), ("huge", 1 << 40), ("text", "x"), ("null", None), ("fraction", 1.5)]
    elif isinstance(value, list):
        out = [("empty", []), ("null", None), ("object", {}), ("null item", [None])] + ([("twice", value + [copy.deepcopy(value[0])])] if value else [])
    elif isinstance(value, dict):
        out = [("empty", {}), ("null", None), ("text", "x"), ("list", []), ("unknown field", dict(value, nosuch=1))]
    else:
        out = []
    return out + [("removed", REMOVED)]


def values_to_add(schemas, schema):
    kind = schemas.type_of(schema)
    if kind == "array":
        items = schemas.type_of(schemas.resolved(schema).get("items", {}))
        return [("added", []), ("item added", [{}])] if items in ("object", "any") else [("added", ["x"])]
    return {
        "string": [("added", "x"), ("bad added", "Bad_Value!")],
        "integer": [("added", 1), ("negative added", -1)],
        "number": [("added", 1.5)],
        "boolean": [("added", True)],
        "int-or-string": [("added", 1), ("percent added", "50%"), ("bad added", "Bad_Value!")],
    }.get(kind, [("added", {})])


def walk(schemas, value, schema, path, out):
    schema = schemas.resolved(schema)
    if isinstance(value, list):
        for i, item in enumerate(value):
            out += [(path + [i], name, wrong) for name, wrong in wrong_values(item)]
            walk(schemas, item, schema.get("items", {}), path + [i], out)
    if not isinstance(value, dict):
        return
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    for key, child in value.items():
        here = path + [key]
        if SKIPPED.match(".".join(map(str, here))):
            continue
        sub = properties.get(key) or (others if isinstance(others, dict) else {})
        out += [(here, name, wrong) for name, wrong in wrong_values(child)]
        if isinstance(others, dict) and not properties:
            out.append((path, "bad key", dict(value, **{"Bad Key!": child})))
        walk(schemas, child, sub, here, out)
    for key, sub in properties.items():
        here = path + [key]
        if key not in value and not SKIPPED.match(".".join(map(str, here))):
            out += [(here, name, added) for name, added in values_to_add(schemas, sub)]


def mutations(schemas, sample):
    """[(title, the sample with one thing changed)]"""
    changes = []
    walk(schemas, sample, schemas.of(sample), [], changes)
    out = []
    for path, name, value in changes:
        mutant = copy.deepcopy(sample)
        place = mutant
        for step in path[:-1]:
            place = place[step]
        if value is REMOVED:
            del place[path[-1]]
        else:
            place[path[-1]] = value
        out.append((".".join(map(str, path)) + f" [{name}]", mutant))
    return out
