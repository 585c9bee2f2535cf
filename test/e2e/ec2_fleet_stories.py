"""Stories about many objects at once: shared calls, throttling, an upgrade of the controller, a restore."""

import os
import time

from ec2_stack import PLENTY, condition, is_handled, wait_until


def launch_many(story, count, make_spec=lambda number: None):
    for number in range(count):
        story.create(f"n{number}", make_spec(number))
    story.await_ready(count, 120)


def one_bad_id(stage):
    """500 are deleted at once; one is protected from termination, and of one EC2 says that it does not exist: the others finish.

    Failing: they wait for the two, or are terminated by hundreds of calls. Guard taken out: is_divisible() answering
    false (pkg/nitro/ec2_batch.c).
    """
    count = 500 if stage.is_full else 300
    story = stage.story(flags=PLENTY)
    story.controller.start()
    launch_many(story, count)
    protected, unknown = (story.get(name)["status"]["instance"]["id"] for name in ("n7", "n8"))
    story.sim.change(protected, protected=True)
    story.sim.change(unknown, lag={"unknownMs": 3600 * 1000})
    story.plane.insist("DELETE", story.path)
    started = time.monotonic()
    wait_until(60, "the others are gone", lambda: {one["metadata"]["name"] for one in story.objects()} == {"n7", "n8"}, 0.5)
    stage.measured(f"{count - 2} of {count} gone after {time.monotonic() - started:.1f} s and "
        f"{len(story.sim.calls('TerminateInstances'))} calls of TerminateInstances")
    alive = {one["id"] for one in story.sim.alive()}
    stage.check(alive == {protected, unknown}, "only the two are alive", alive)
    calls = len(story.sim.calls("TerminateInstances"))
    stage.check(calls <= 40, "they shared calls", calls)
    refusal = lambda: condition(story.get("n7"), "Ready")["message"]
    wait_until(20, "the status says why it stays", lambda: "disableApiTermination" in refusal() and protected in refusal())
    story.sim.change(protected, protected=False)
    story.sim.change(unknown, lag={"unknownMs": 0})
    for name in ("n7", "n8"):
        story.request_reconcile(name)
    story.await_gone(60)
    stage.check(not story.sim.alive(), "and when it is possible, the two", story.sim.alive())


def throttled_reads(stage):
    """DescribeInstances answers RequestLimitExceeded for long while 30 are created and then 10 deleted.

    Failing: a launch that is lost or made twice, a deletion behind a creation, memory that grows, or calls without
    end. Guards taken out: the lanes by action in ec2_limit_lane(), all actions sharing the one of DescribeInstances.
    """
    seconds = 600 if stage.is_full else 30
    story = stage.story()
    story.controller.start()
    launch_many(story, 10)
    story.sim.fault(action="DescribeInstances", code="RequestLimitExceeded", count=1000000)
    before = len(story.sim.calls("DescribeInstances"))
    created = [story.create(f"new{number}") for number in range(30)]
    for number in range(10):
        story.delete(f"n{number}")
    sizes = watch_memory(story, seconds)
    during = len(story.sim.calls("DescribeInstances")) - before
    terminated = [call["timeMs"] for call in story.sim.calls("TerminateInstances")]
    launched = [call["timeMs"] for call in story.sim.calls("RunInstances")]
    stage.check(len(story.sim.alive()) == 30, "while reads are throttled: 30 launched, 10 terminated", len(story.sim.alive()))
    stage.check(terminated and max(terminated) < launched[-1], "deletions did not wait for the creations before them", (terminated, launched[-3:]))
    stage.check(during < 2 * seconds, "reads were not hurried", during)
    stage.check(max(sizes) - sizes[0] < 2048, "memory is flat", sizes)
    stage.measured(f"{seconds} s throttled: {during} describes, resident memory {min(sizes)} to {max(sizes)} KiB")
    story.sim.clear_faults()
    story.await_ready(30, 60)
    stage.check(all(len(story.sim.instances(one)) == 1 for one in created), "one instance each", len(story.sim.instances()))
    wait_until(60, "the deleted are gone", lambda: len(story.objects()) == 30)


def watch_memory(story, seconds):
    """Of the controller, in KiB, each half second; from the third second on, when its buffers have found their size."""
    limit, sizes = time.monotonic() + seconds, []
    while time.monotonic() < limit:
        if limit - time.monotonic() < seconds - 3:
            sizes.append(story.controller.resident_kib())
        time.sleep(0.5)
    return sizes


def upgrade(stage):
    """A controller whose user data, hash version, hash and defaults are others takes over a fleet: nothing is replaced.

    Failing: a RunInstances or TerminateInstances. Guard taken out: the comparison of versions in hash_differs()
    (pkg/reconcile/plan.c).
    """
    count = 1000 if stage.is_full else 200
    story = stage.story(flags=PLENTY)
    story.controller.start()
    launch_many(story, count)
    before = {one["metadata"]["name"]: one["status"]["instance"]["id"] for one in story.objects()}
    story.controller.stop()
    story.controller.binary = os.environ["TEE_BUILD_DIR"] + "/bin/tee-controller-next"
    story.controller.start(AWS_NITRO_AMI_ID="ami-0fedcba9876543210", AWS_NITRO_INSTANCE_TYPE="m5.2xlarge")
    for name in before:
        story.request_reconcile(name)
    wait_until(60, "it has looked at every object", lambda: all(is_handled(one) for one in story.objects()), 1)
    after = {one["metadata"]["name"]: one["status"]["instance"]["id"] for one in story.objects() if one["status"].get("instance")}
    stage.check(after == before, f"{count} objects have the hosts that they had", set(after.items()) ^ set(before.items()))
    launched, ended = len(story.sim.instances()), len(story.sim.calls("TerminateInstances"))
    stage.check((launched, ended) == (count, 0), "nothing was launched and nothing terminated", (launched, ended))
    stage.check(story.ready_count() == count, "all are ready", story.ready_count())
    newest = story.create("newest")
    wait_until(30, "a new one is launched", lambda: story.sim.instances(newest))
    version = story.sim.instances(newest)[0]["tags"]["tee-launch-hash"][:3]
    stage.check(version == "v2-", "what is launched from now on bears the new version", version)


def restore(stage):
    """100 objects come back in another cluster with new UIDs and no status: 100 adoptions, 0 launches.

    Half of them name their deployment id, half are found by namespace and name. Failing: a launch, or a host that
    stays nobody's. Guard taken out: row_adopt() (pkg/reconcile/plan.c).
    """
    count = 100
    story = stage.story(flags=PLENTY)
    story.controller.start()
    launch_many(story, count, lambda number: {"deploymentID": f"restored-{number}"} if number % 2 else None)
    before = {one["metadata"]["name"]: one["status"]["instance"]["id"] for one in story.objects()}
    story.controller.stop()  # with its cluster
    copy = stage.story(plane=1, sim=story.sim, flags=("--allow-adoption", *PLENTY))
    for number in range(count):
        spec = {"deploymentID": f"restored-{number}"} if number % 2 else None
        copy.create(f"n{number}", spec, {"tee.dev/adopt": "by-tag"})
    copy.controller.start()
    copy.await_ready(count, 60)
    after = {one["metadata"]["name"]: one["status"]["instance"]["id"] for one in copy.objects()}
    stage.check(after == before, "each has the host that it had", set(after.items()) ^ set(before.items()))
    results = {one["status"]["launch"]["result"] for one in copy.objects()}
    stage.check(results == {"Adopted"}, "100 adoptions", results)
    stage.check(len(story.sim.instances()) == count, "0 launches", len(story.sim.instances()))
    copy.plane.insist("DELETE", copy.path)
    copy.await_gone(60)
    stage.check(not story.sim.alive(), "they are its own: deleted with their objects", len(story.sim.alive()))


def failing_hosts(stage):
    """EC2 says that one host fails and that it will retire another; the third has recovered when it is asked again.

    Failing: nothing is said of it, a host is replaced at once, or both are at a time. Guards taken out, each seen to
    fail test_health.c: the patience, the age of the answer, the budget of replacements (pkg/reconcile/health.c).
    """
    story = stage.story(flags=PLENTY)
    story.controller.start()
    launch_many(story, 3)
    hosts = [story.get(f"n{number}")["status"]["instance"]["id"] for number in range(3)]
    story.sim.change(hosts[0], health={"instance": "impaired"})
    story.sim.change(hosts[1], health={"event": "instance-retirement", "eventInMs": 14 * 24 * 3600 * 1000})
    story.sim.change(hosts[2], health={"system": "impaired"})
    for number, reason in enumerate(("Impaired", "RetirementScheduled", "Impaired")):
        wait_until(20, f"n{number} is {reason}", lambda: condition(story.get(f"n{number}"), "HostLaunched")["reason"] == reason)
        wait_until(10, "its Event", lambda: [one for one in story.events(reason) if one["regarding"]["name"] == f"n{number}"])
    stage.check(story.ready_count() == 3, "they serve on", story.ready_count())
    story.sim.change(hosts[2], health={"system": "ok"})
    wait_until(20, "n2 has recovered", lambda: condition(story.get("n2"), "HostLaunched")["reason"] == "Running")
    stage.check(not story.sim.calls("TerminateInstances"), "none was ended at once", story.sim.calls("TerminateInstances"))
    if not stage.is_full:
        return
    time.sleep(330)
    alive = {one["id"] for one in story.sim.alive()}
    stage.check(hosts[2] in alive and len(alive & set(hosts[:2])) == 1, "after five minutes one of the two was replaced", alive)
    story.await_ready(3, 30)
    time.sleep(15 * 60)
    stage.check(not {one["id"] for one in story.sim.alive()} & set(hosts[:2]), "and the other a quarter of an hour later", hosts)


STORIES = (failing_hosts, one_bad_id, throttled_reads, upgrade, restore)
