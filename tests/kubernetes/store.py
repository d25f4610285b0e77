"""The objects of a cluster, with the API server's rules about versions, names and deletion."""

import asyncio
import base64
import copy
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
FOREGROUND = "foregroundDeletion"
KINDS = {
    "jobs": ("Job", "batch/v1", "jobs.batch"),
    "pods": ("Pod", "v1", "pods"),
    "secrets": ("Secret", "v1", "secrets"),
    "events": ("Event", "v1", "events"),
    "namespaces": ("Namespace", "v1", "namespaces"),
    "resourcequotas": ("ResourceQuota", "v1", "resourcequotas"),
    "networkpolicies": (
        "NetworkPolicy",
        "networking.k8s.io/v1",
        "networkpolicies.networking.k8s.io",
    ),
}


class Refusal(Exception):
    """A failure that is answered as a `Status`."""

    def __init__(self, code: int, reason: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.more = more

    def document(self) -> Object:
        """The `Status` object."""
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        return {
            **status,
            "message": str(self),
            "reason": self.reason,
            "code": self.code,
            **self.more,
        }


@dataclass(kw_only=True)
class Change:
    """An event of a watch."""

    version: int
    type: str
    resource: str
    object: Object


@dataclass(kw_only=True)
class Store:
    """Everything in the cluster, and its history."""

    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    """By resource and name: there is one namespace of sandboxes."""
    history: list[Change] = field(default_factory=list)
    version: int = 100
    compacted: int = 0
    """Versions up to this one are forgotten."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    listeners: list[Callable[[], None]] = field(default_factory=list)

    def get(self, resource: str, name: str) -> Object:
        found = self.objects.get((resource, name))
        if found is None:
            raise Refusal(404, "NotFound", f'{KINDS[resource][2]} "{name}" not found')
        return found

    def all(self, resource: str) -> list[Object]:
        return [found for (kind, _), found in sorted(self.objects.items()) if kind == resource]

    def create(self, resource: str, body: Mapping[str, Any]) -> Object:
        """With the fields that the API server fills in."""
        made = copy.deepcopy(dict(body))
        metadata = made.setdefault("metadata", {})
        name = str(metadata.get("name", ""))
        kind, version, full = KINDS[resource]
        if not NAME.fullmatch(name):
            message = f'{kind}.{version.split("/")[0]} "{name}" is invalid: metadata.name'
            raise Refusal(422, "Invalid", message)
        for label, value in (metadata.get("labels") or {}).items():
            if not LABEL_VALUE.fullmatch(str(value)):
                message = f'{kind} "{name}" is invalid: metadata.labels: Invalid value: "{value}"'
                raise Refusal(422, "Invalid", f"{message} ({label})")
        if (resource, name) in self.objects:
            raise Refusal(409, "AlreadyExists", f'{full} "{name}" already exists')
        metadata |= {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": now(),
            "generation": 1,
        }
        made |= {"kind": kind, "apiVersion": version}
        self.objects[resource, name] = made
        self._note("ADDED", resource, made)
        return made

    def replace(self, resource: str, name: str, body: Mapping[str, Any]) -> Object:
        """An update; without a version in it whatever the current one is."""
        found = self.get(resource, name)
        self._check_version(resource, found, body)
        made = copy.deepcopy(dict(body))
        kept = ("uid", "creationTimestamp", "generation")
        made["metadata"] |= {key: found["metadata"][key] for key in kept}
        made |= {"kind": found["kind"], "apiVersion": found["apiVersion"]}
        self.objects[resource, name] = made
        self._note("MODIFIED", resource, made)
        return made

    def patch(self, resource: str, name: str, patch: Mapping[str, Any]) -> Object:
        """A merge patch (RFC 7396)."""
        found = self.get(resource, name)
        self._check_version(resource, found, patch)
        before = copy.deepcopy(found)
        _merge(found, patch)
        if found != before:
            self._note("MODIFIED", resource, found)
        return found

    def set_status(self, resource: str, name: str, **status: Any) -> None:
        if (resource, name) not in self.objects:
            return
        found = self.objects[resource, name]
        before = copy.deepcopy(found.get("status"))
        found["status"] = {**(found.get("status") or {}), **status}
        if found["status"] != before:
            self._note("MODIFIED", resource, found)

    def delete(self, resource: str, name: str, options: Mapping[str, Any]) -> Object:
        """One with finalizers, and a pod, is only marked: who watches it lets it go."""
        found = self.get(resource, name)
        self._check_uid(found, (options.get("preconditions") or {}).get("uid"))
        metadata = found["metadata"]
        if resource == "jobs" and options.get("propagationPolicy") == "Foreground":
            finalizers = metadata.setdefault("finalizers", [])
            if FOREGROUND not in finalizers:
                finalizers.append(FOREGROUND)
        if resource == "pods" or metadata.get("finalizers"):
            if "deletionTimestamp" not in metadata:
                metadata["deletionTimestamp"] = now()
                self._note("MODIFIED", resource, found)
            return found
        self.drop(resource, name)
        return found

    def drop(self, resource: str, name: str) -> None:
        """Lets it go for good."""
        if (found := self.objects.pop((resource, name), None)) is not None:
            self._note("DELETED", resource, found)

    def compact(self) -> None:
        """Forgets the history, as etcd does every few minutes."""
        self.version += 1
        self.compacted = self.version
        self.history.clear()
        self.changed.set()
        self.changed = asyncio.Event()

    def page(self, resource: str, query: Mapping[str, str], largest: int = 10**6) -> Object:
        """A list, or a chunk of one."""
        version, after = self.version, ""
        if token := query.get("continue"):
            place = json.loads(base64.urlsafe_b64decode(token))
            version, after = place["v"], place["after"]
            if version < self.compacted:
                message = (
                    "The provided continue parameter is too old to display a consistent list "
                    "result. You can start a new list without the continue parameter, or use the "
                    "continue token in this response to retrieve the remainder of the results."
                )
                place["v"] = self.version
                raise Refusal(410, "Expired", message, metadata={"continue": _token(place)})
        wanted = [
            found
            for found in self.all(resource)
            if found["metadata"]["name"] > after and is_selected(found, query)
        ]
        limit = min(int(query.get("limit", "0")) or largest, largest)
        items, more = wanted[:limit], wanted[limit:]
        metadata: Object = {"resourceVersion": str(version)}
        if more:
            place = {"v": version, "after": items[-1]["metadata"]["name"]}
            metadata["continue"] = _token(place)
            metadata["remainingItemCount"] = len(more)
        kind, api_version, _ = KINDS[resource]
        shown = [
            {k: v for k, v in each.items() if k not in ("kind", "apiVersion")} for each in items
        ]
        listed = {"kind": f"{kind}List", "apiVersion": api_version}
        return {**listed, "metadata": metadata, "items": copy.deepcopy(shown)}

    def since(self, resource: str, version: int, query: Mapping[str, str]) -> Iterator[Change]:
        """Raises `Refusal` if that version is forgotten."""
        if version < self.compacted:
            message = f"too old resource version: {version} ({self.compacted})"
            raise Refusal(410, "Expired", message)
        for change in self.history:
            is_newer = change.version > version and change.resource == resource
            if is_newer and is_selected(change.object, query):
                yield change

    def _note(self, kind: str, resource: str, found: Object) -> None:
        self.version += 1
        found["metadata"]["resourceVersion"] = str(self.version)
        change = Change(
            version=self.version, type=kind, resource=resource, object=copy.deepcopy(found)
        )
        self.history.append(change)
        self.changed.set()
        self.changed = asyncio.Event()
        for listener in self.listeners:
            listener()

    def _check_version(self, resource: str, found: Object, body: Mapping[str, Any]) -> None:
        wanted = (body.get("metadata") or {}).get("resourceVersion")
        if wanted and wanted != found["metadata"]["resourceVersion"]:
            name = found["metadata"]["name"]
            message = (
                f'Operation cannot be fulfilled on {KINDS[resource][2]} "{name}": the object has '
                "been modified; please apply your changes to the latest version and try again"
            )
            raise Refusal(409, "Conflict", message)

    def _check_uid(self, found: Object, wanted: str | None) -> None:
        uid = found["metadata"]["uid"]
        if wanted is not None and wanted != uid:
            name, group = found["metadata"]["name"], found["apiVersion"].rpartition("/")[0]
            message = (
                f'Operation cannot be fulfilled on {found["kind"]}.{group} "{name}": the UID in '
                f"the precondition ({wanted}) does not match the UID in record ({uid}). The "
                "object might have been deleted and then recreated"
            )
            raise Refusal(409, "Conflict", message)


def is_selected(found: Object, query: Mapping[str, str]) -> bool:
    """By labels, and by the fields of an event."""
    labels = found["metadata"].get("labels") or {}
    for term in filter(None, query.get("labelSelector", "").split(",")):
        name, equals, value = term.partition("=")
        if name not in labels or (equals and labels[name] != value):
            return False
    for term in filter(None, query.get("fieldSelector", "").split(",")):
        path, _, value = term.partition("=")
        place: Any = found
        for step in path.split("."):
            place = place.get(step) or {}
        if place != value:
            return False
    return True


def _token(place: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def now() -> str:
    """The time in the API's format."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _merge(target: Object, patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        elif isinstance(value, Mapping):
            target[key] = {}
            _merge(target[key], value)
        else:
            target[key] = value
