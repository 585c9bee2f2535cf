"""Stories about whose an instance is: two clusters in one account, and hands on the tags."""

from ec2_stack import condition, wait_until

RESERVED = ("Name", "tee-deployment-id", "tee-cluster-id")


def two_clusters(stage):
    """Two clusters share an account; names, namespaces and one deployment id are the same: neither touches the other's.

    Failing: an instance of both, or one that ends with the other's object. Guards taken out: the cluster id in
    ledger_token(), and in the inventory's filter (ec2_ports_describe_all()).
    """
    first = stage.story()
    second = stage.story(plane=1, sim=first.sim)
    for story in (first, second):
        story.controller.start()
        story.create("plain")
        story.create("shared", {"deploymentID": "one-id"})
    for story in (first, second):
        story.await_ready(2, 60)
    mine, theirs = ({one["status"]["instance"]["id"] for one in story.objects()} for story in (first, second))
    stage.check(len(mine) == len(theirs) == 2 and not mine & theirs, "each has hosts of its own", (mine, theirs))
    stage.check(len(first.sim.instances()) == 4, "four were launched", first.sim.instances())
    first.plane.insist("DELETE", first.path)
    first.await_gone(30)
    alive = {one["id"] for one in first.sim.alive()}
    stage.check(alive == theirs, "what the first deletes are its own", (alive, theirs))
    for name in ("plain", "shared"):
        second.request_reconcile(name)
    wait_until(20, "the second has looked again", lambda: all("lastHandledReconcileAt" in one["status"] for one in second.objects()))
    stage.check(second.ready_count() == 2, "the second's are as they were", second.objects())


def reserved_tags(stage):
    """Tags by which hosts are known are not the user's to set: refused at admission.

    Failing: the object is made. Guard taken out: the rule of spec.instance.tags in the CRD.
    """
    story = stage.story()
    for key in RESERVED:
        manifest = story.manifest("tagged", {"instance": {"tags": {key: "mine"}}})
        code, answer = story.plane.request("POST", story.path, manifest)
        stage.check(code == 422 and "tags" in answer["message"], f"{key} is refused at admission", (code, answer.get("message")))


def changed_tags(stage):
    """The user's tags are set at the launch; a later difference is shown, and nothing is replaced for it.

    Failing: Drifted stays False, or the host is another. Guard taken out: the digests in keep_tag() (pkg/nitro/ec2_response.c).
    """
    story = stage.story()
    story.controller.start()
    deployment = story.create("tagged", {"instance": {"tags": {"team": "a", "cost": "1"}}})
    story.await_ready(1, 30)
    drifted = lambda: (lambda one: (one["status"], one["reason"]))(condition(story.get("tagged"), "Drifted"))
    stage.check(drifted() == ("False", "InSync"), "as launched it is in sync", drifted())
    story.patch("tagged", {"spec": {"instance": {"tags": {"team": "b"}}}})
    wait_until(20, "the difference is shown", lambda: drifted() == ("True", "TagsDiffer"))
    wait_until(20, "an Event tells it", lambda: story.events("DriftDetected"))
    wait_until(10, "it is Ready all the same", lambda: story.is_ready("tagged"))
    story.patch("tagged", {"spec": {"instance": {"tags": {"team": "a"}}}})
    wait_until(20, "it is in sync again", lambda: drifted() == ("False", "InSync"))
    stage.check(len(story.sim.instances(deployment)) == 1, "the host is the same", story.sim.instances(deployment))


STORIES = (two_clusters, reserved_tags, changed_tags)
