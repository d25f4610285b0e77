"""The controllers of Jobs and of garbage: what happens in a cluster after an object was changed.

The rules of Jobs are those of release 1.29 and later: a pod that is gone counts as a failed one,
and with `backoffLimit: 0` the first failure ends the Job.
"""

import copy
import secrets
from typing import Any

from tests.kubernetes.store import FOREGROUND, Object, Store, now


class Controllers:
    """Each call brings the cluster a step nearer to what its objects ask for."""

    def __init__(self, store: Store) -> None:
        self.refuses_pods = ""
        """The message with which the API server refuses every pod."""
        self._store = store
        self._had_pod: set[str] = set()
        """Uids of Jobs that have had one."""

    def sync(self) -> None:
        for job in self._store.all("jobs"):
            if "deletionTimestamp" in job["metadata"]:
                self._delete(job)
            elif not _is_over(job):
                self._run(job)
        self._collect_garbage()

    def pods_of(self, job: Object) -> list[Object]:
        uid = job["metadata"]["uid"]
        return [
            pod
            for pod in self._store.all("pods")
            if any(each["uid"] == uid for each in pod["metadata"].get("ownerReferences", ()))
        ]

    def expire(self, name: str) -> None:
        """The end of `activeDeadlineSeconds`."""
        message = "Job was active longer than specified deadline"
        self._fail(self._store.get("jobs", name), "DeadlineExceeded", message)

    def _run(self, job: Object) -> None:
        name, pods = job["metadata"]["name"], self.pods_of(job)
        if job["spec"].get("suspend"):
            for pod in pods:
                self._store.delete("pods", pod["metadata"]["name"], {})
            suspended = {"type": "Suspended", "status": "True", "reason": "JobSuspended"}
            self._store.set_status("jobs", name, conditions=[suspended])
            return
        resumed = {"type": "Suspended", "status": "False", "reason": "JobResumed"}
        self._store.set_status("jobs", name, conditions=[resumed])
        failed = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Failed"]
        if any(_is_disrupted(pod) for pod in failed):
            reason = f"Pod {failed[0]['metadata']['name']} has condition DisruptionTarget"
            self._fail(job, "PodFailurePolicy", f"{reason} matching FailJob rule at index 0")
        elif failed or (not pods and job["metadata"]["uid"] in self._had_pod):
            self._store.set_status("jobs", name, failed=1)
            self._fail(job, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        elif not pods:
            self._make_pod(job)

    def _make_pod(self, job: Object) -> None:
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        if self.refuses_pods:
            self._refuse(job)
            return
        template = copy.deepcopy(job["spec"]["template"])
        metadata = template["metadata"]
        own = {"batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name}
        metadata["labels"] |= own
        metadata["name"] = f"{name}-{secrets.token_hex(3)[:5]}"
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid}
        metadata["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": True}]
        self._had_pod.add(uid)
        self._store.create("pods", {**template, "status": {"phase": "Pending"}})

    def _refuse(self, job: Object) -> None:
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        if ("events", f"{name}.refused") in self._store.objects:
            return
        event: dict[str, Any] = {
            "metadata": {"name": f"{name}.refused"},
            "involvedObject": {"kind": "Job", "name": name, "uid": uid},
            "reason": "FailedCreate",
            "message": f'Error creating: pods "{name}-" is forbidden: {self.refuses_pods}',
            "type": "Warning",
            "lastTimestamp": now(),
        }
        self._store.create("events", event)

    def _fail(self, job: Object, reason: str, message: str) -> None:
        name = job["metadata"]["name"]
        condition = {"type": "Failed", "status": "True", "reason": reason, "message": message}
        self._store.set_status("jobs", name, conditions=[condition])
        for pod in self.pods_of(job):
            if (pod.get("status") or {}).get("phase") not in ("Failed", "Succeeded"):
                self._store.delete("pods", pod["metadata"]["name"], {})

    def _delete(self, job: Object) -> None:
        """In the foreground: the Job goes after its pods."""
        pods = self.pods_of(job)
        for pod in pods:
            if "deletionTimestamp" not in pod["metadata"]:
                self._store.delete("pods", pod["metadata"]["name"], {})
        if not pods and job["metadata"].get("finalizers") == [FOREGROUND]:
            self._store.drop("jobs", job["metadata"]["name"])

    def _collect_garbage(self) -> None:
        """Deletes what belonged to Jobs that are gone."""
        jobs = {job["metadata"]["uid"] for job in self._store.all("jobs")}
        for resource in ("secrets", "pods"):
            for found in self._store.all(resource):
                owners = found["metadata"].get("ownerReferences", ())
                is_left = owners and not any(each["uid"] in jobs for each in owners)
                if is_left and "deletionTimestamp" not in found["metadata"]:
                    self._store.delete(resource, found["metadata"]["name"], {})


def _is_over(job: Object) -> bool:
    conditions = (job.get("status") or {}).get("conditions", ())
    return any(each["type"] in ("Failed", "Complete") for each in conditions)


def _is_disrupted(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions", ())
    return any(each["type"] == "DisruptionTarget" for each in conditions)
