"""11. 300 patches from four hands (1,000 with STORIES=full): spec, labels, and a condition of another manager.

Failing: what others wrote is lost, the last generation is not the one that is looked at, or Ready=True is shown for an older
one. Guard taken out: the status applied as a merge patch instead of by its manager (pkg/kube/client.c).
"""

import concurrent.futures

from client_cases.case import story_behind_proxy
from ec2_stack import condition, wait_until

OTHER = {"type": "example.com/Audited", "status": "True", "reason": "Audited", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}


def apply_condition(story, name):
    body = {"apiVersion": "tee.dev/v1alpha1", "kind": "TeeDeployment", "metadata": {"name": name, "namespace": story.name},
        "status": {"conditions": [OTHER]}}
    story.plane.insist("PATCH", f"{story.path}/{name}/status?fieldManager=auditor&force=true", body, "application/apply-patch+yaml")


def edit(story, number):
    name, kind = f"n{number % 3}", number // 3 % 3
    if kind == 0:
        story.patch(name, {"spec": {"attestation": {"intervalSeconds": 600 + number}}})
    elif kind == 1:
        story.patch(name, {"metadata": {"labels": {f"example.com/l{number}": "x"}}})
    else:
        apply_condition(story, name)


def check_condition_age(item, bad):
    ready = condition(item, "Ready")
    if ready["status"] == "True" and ready.get("observedGeneration", 0) != item["status"]["observedGeneration"]:
        bad.append((item["metadata"]["name"], ready, item["status"]["observedGeneration"]))


def tell(stage):
    count = 1000 if stage.is_full else 300
    story = story_behind_proxy(stage)
    for number in range(3):
        story.create(f"n{number}")
    story.controller.start()
    story.await_ready(3, 30)
    before, bad = {one["id"] for one in story.sim.alive()}, []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        edits = [pool.submit(edit, story, number) for number in range(count)]
        while not all(one.done() for one in edits):
            for item in story.objects():
                check_condition_age(item, bad)
        for one in edits:
            one.result()
    story.await_ready(3, 30)
    stage.check(not bad, "Ready=True never carries another generation than the status", bad[:2])
    labels = sum(1 for one in story.objects() for key in one["metadata"]["labels"] if key.startswith("example.com/l"))
    stage.check(labels == sum(1 for number in range(count) if number // 3 % 3 == 1), "every label is there", labels)
    stage.check(all(condition(one, OTHER["type"])["status"] == "True" for one in story.objects()), "and the other's condition")
    stage.check({one["id"] for one in story.sim.alive()} == before, "the hosts are the same", story.sim.alive())
    latest = [(one["status"]["observedGeneration"], one["metadata"]["generation"]) for one in story.objects()]
    stage.check(all(seen == is_now for seen, is_now in latest), "the last generation was looked at", latest)
    wait_until(5, "no write is left over", lambda: story.ready_count() == 3)
