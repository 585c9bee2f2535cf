"""11. 1,000 patches from four hands: spec, labels, and a condition of another manager.

The objects are those of a manifest that kubectl applied and asks about at the end. The patches are calls of the API from
threads: as many processes of kubectl would keep two cores busy with their starts. A watch tells each version that there ever
was, and the API server's audit log what the controller wrote.

Failing: what others wrote is lost, the last generation is not the one that is looked at, Ready=True is shown beside a
condition of an older generation, the finalizer is written more than once each way, or the manifest would change what is
there. Guards taken out: the status applied as a merge patch instead of by its manager
(pkg/kube/client.c), and the other's condition came and went; the generation of a condition being that of the status before
(put(), pkg/reconcile/status.c), and Ready=True was shown too early.
"""

import concurrent.futures
import json
import subprocess
import threading
import time

from client_cases.case import asked, story_behind_proxy
from ec2_stack import condition, wait_until

COUNT, NAMES = 1000, tuple(f"n{number}" for number in range(5))
OTHER = {"type": "example.com/Audited", "status": "True", "reason": "Audited", "lastTransitionTime": "2026-01-01T00:00:00Z"}


def tell(stage):
    story = story_behind_proxy(stage)
    manifest = f"{story.folder}/manifest.json"
    with open(manifest, "w", encoding="utf-8") as file:
        json.dump({"apiVersion": "v1", "kind": "List", "items": [story.manifest(name) for name in NAMES]}, file)
    versions = Versions(story)
    kubectl(story, "apply", "--server-side", "-f", manifest)
    story.controller.start()
    story.await_ready(len(NAMES), 30)
    hosts = {one["id"] for one in story.sim.alive()}
    tell_edits(stage, story)
    stage.check({one["id"] for one in story.sim.alive()} == hosts, "the hosts are the same", story.sim.alive())
    tell_manifest(stage, story, manifest)
    for name in NAMES:
        story.delete(name)
    story.await_gone(30)
    wait_until(20, "the watch has told it", lambda: versions.gone == set(NAMES))
    check_versions(stage, versions)
    check_requests(stage, story)


def kubectl(story, *arguments):
    """Its output; one that fails is an error. What it says beside is for the reader."""
    command = ["kubectl", "--kubeconfig", f"{story.plane.folder}/user.kubeconfig", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{arguments}: {done.returncode} {done.stdout} {done.stderr}")
    return done.stdout


def edit(story, number):
    """What kind of edit it is, and of which object."""
    name, kind = NAMES[number % len(NAMES)], ("spec", "label", "condition")[number // len(NAMES) % 3]
    if kind == "spec":
        story.patch(name, {"spec": {"attestation": {"intervalSeconds": 600 + number}}})
    elif kind == "label":
        story.patch(name, {"metadata": {"labels": {f"example.com/l{number}": "x"}}})
    else:
        body = {"apiVersion": "tee.dev/v1alpha1", "kind": "TeeDeployment", "metadata": {"name": name, "namespace": story.name},
            "status": {"conditions": [OTHER | {"message": f"edit {number}"}]}}
        story.plane.insist("PATCH", f"{story.path}/{name}/status?fieldManager=auditor&force=true", body, "application/apply-patch+yaml")
    return kind, name


def tell_edits(stage, story):
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        edits = list(pool.map(lambda number: edit(story, number), range(COUNT)))
    stage.measured(f"{COUNT} patches in {time.monotonic() - started:.1f} s")
    started = time.monotonic()
    story.await_ready(len(NAMES), 60)
    stage.measured(f"all ready {time.monotonic() - started:.1f} s after the last of them")
    for name in NAMES:
        item = story.get(name)
        labels = sum(1 for key in item["metadata"]["labels"] if key.startswith("example.com/l"))
        stage.check(labels == edits.count(("label", name)), f"{name}: every label is there", labels)
        others = condition(item, OTHER["type"])
        stage.check(others["status"] == "True" and others["message"].startswith("edit "), f"{name}: and the other's condition", others)
        latest = item["status"]["observedGeneration"], item["metadata"]["generation"], 1 + edits.count(("spec", name))
        stage.check(len(set(latest)) == 1, f"{name}: each edit of the spec is a generation, and the last was looked at", latest)


def tell_manifest(stage, story, manifest):
    """While nothing changes: each question reads what is there more than once."""
    await_still(story)
    before = {name: story.get(name) for name in NAMES}
    for how in ((), ("--server-side",)):
        told = kubectl(story, "diff", *how, "-f", manifest)  # which fails where there is a difference
        stage.check(not told, " ".join(("kubectl diff", *how, "shows nothing")), told)
    tried = json.loads(kubectl(story, "apply", "--server-side", "--dry-run=server", "-o", "json", "-f", manifest))["items"]
    for item in tried:
        is_now = story.get(item["metadata"]["name"])
        for part in (item, is_now, before[item["metadata"]["name"]]):
            part["metadata"].pop("managedFields", None)
        stage.check(item == is_now == before[item["metadata"]["name"]], f"{item['metadata']['name']}: the manifest would change nothing", (item, is_now))


def await_still(story):
    """No object is written for 3 s."""
    known, since = None, time.monotonic()
    while time.monotonic() - since < 3:
        time.sleep(0.2)
        seen = [one["metadata"]["resourceVersion"] for one in story.objects()]
        if seen != known:
            known, since = seen, time.monotonic()


class Versions:
    """Each version of each object from now on, as a watch tells them."""

    def __init__(self, story):
        self.of, self.gone, self.connection = {}, set(), story.plane.connect()
        version = story.plane.insist("GET", story.path)["metadata"]["resourceVersion"]
        self.connection.request("GET", f"{story.path}?watch=true&resourceVersion={version}")
        threading.Thread(target=self.read, args=(self.connection.getresponse(),), daemon=True).start()

    def read(self, answer):
        while line := answer.readline():
            event = json.loads(line)
            name = event["object"]["metadata"]["name"]
            self.of.setdefault(name, []).append(event["object"])
            if event["type"] == "DELETED":
                self.gone.add(name)


def check_versions(stage, versions):
    stage.measured(f"{sum(len(of) for of in versions.of.values())} versions")
    for name, of in versions.of.items():
        bad = [one["status"] for one in of if is_ready_too_early(one)]
        stage.check(not bad, f"{name}: Ready=True never beside a condition of another generation", bad[:1])
        finalizers = "".join(str(len(one["metadata"].get("finalizers", []))) for one in of)
        stage.check("01" not in finalizers.lstrip("0") and set(finalizers) == {"0", "1"}, f"{name}: the finalizer came once", finalizers)
        others = "".join("1" if condition(one, OTHER["type"])["status"] else "0" for one in of)
        stage.check("0" not in others.lstrip("0"), f"{name}: the other's condition was there in each version since", others)


def is_ready_too_early(item):
    """Ready, and one of the controller's conditions is about another generation than the status."""
    ours = [one for one in item.get("status", {}).get("conditions", []) if one["type"] != OTHER["type"]]
    generations = {one.get("observedGeneration") for one in ours} | {item.get("status", {}).get("observedGeneration")}
    return condition(item, "Ready")["status"] == "True" and len(generations) > 1


def check_requests(stage, story):
    all_of_it = asked(story)
    finalizers = [one for one in all_of_it if one.verb == "patch" and one.is_write and not one.is_status_write]
    written = [one for one in finalizers if one.code == 200]
    each = {name: sum(1 for one in written if f"/{name}?" in one.uri) for name in NAMES}
    stage.check(set(each.values()) == {2}, "the objects were written twice each: finalizer on, finalizer off", written)
    stage.check(not [one for one in all_of_it if one.code >= 500], "no request failed by the server", [one for one in all_of_it if one.code >= 500])
    statuses = [one.code for one in all_of_it if one.is_status_write]
    stage.measured(f"{len(statuses)} writes of a status, {statuses.count(409)} of them refused by a conflict; {len(finalizers) - len(written)} of a finalizer refused")
