"""13. The etcd behind the controller's API server does not answer for 20 s; its connections stay open.

A second API server reaches etcd through a proxy that passes nothing meanwhile. It falls silent when the live GET before a
launch is done and EC2 answers 503 after a while: what the controller tries again is bounded by its lease alone, which it
cannot renew. Meanwhile a host is stopped by hand, work that no watch tells, and an object is created at the first server,
which has etcd. Failing: a change at EC2 or a look at an object after the lease's time, an exit, a host that is ended, two
launches for an object, or no leader afterwards. Guard taken out: leader_ms_left() (pkg/kube/leader.c) granting time to
whoever held the lease last; then the launch was tried again after 5 s, and objects were read before changes that only the
silence prevented.
"""

import time

from client_cases.case import api_server, asked, now, seconds_between, start_second
from ec2_stack import CHANGES, PLENTY, wait_until
from etcd_proxy import EtcdProxy

SILENT_SECONDS = 20
LEASE_SECONDS = 3.5  # the renew deadline, and what a call may take from the controller to the simulator's clock


def tell(stage):
    story = stage.story(flags=PLENTY)
    etcd = EtcdProxy(api_server(story.plane)[2])
    second = start_second(story.plane, etcd.port, "second-13")
    story.controller.kubeconfig = second.controller_kubeconfig
    deployments = [story.create("stopped")]
    story.controller.start()
    story.await_ready(1, 30)
    deployments.append(begin_launch(story))
    since, until, calls = tell_silence(stage, story, etcd, deployments)
    stage.check(not calls, "without its lease it changes nothing at EC2", calls)
    wait_until(60, "the new one is ready", lambda: story.is_ready("late"))
    stage.measured(f"an object made meanwhile ready {seconds_between(until, now()):.1f} s after etcd answers again")
    story.await_ready(3, 60)
    story.await_quiet(3)
    check_requests(stage, [one for one in asked(story, since, second) if one.at < until], since, until)
    hosts = [len(story.sim.instances(one)) for one in deployments]
    stage.check(hosts == [1, 1, 1], "each object had one host", story.sim.instances())
    stage.check(not story.sim.calls("TerminateInstances"), "none was ended", story.sim.calls("TerminateInstances"))


def begin_launch(story):
    """Of an object, with the answer that EC2 is not available, 2.5 s later."""
    before = len(story.sim.calls("RunInstances"))
    story.sim.fault(action="RunInstances", code="Unavailable", httpStatus=503, latencyMs=2500, count=10)
    deployment = story.create("launched")
    wait_until(20, "its launch is under way", lambda: len(story.sim.calls("RunInstances")) > before, 0.05)
    return deployment


def tell_silence(stage, story, etcd, deployments):
    """When it began and when it was over, and what was changed at EC2 when the lease could not be held any more."""
    etcd.hold_all()
    since, began = now(), time.time()
    time.sleep(LEASE_SECONDS)
    story.sim.clear_faults()
    story.sim.change(story.sim.alive(deployments[0])[0]["id"], stop=True)
    deployments.append(story.create("late"))
    time.sleep(began + SILENT_SECONDS - time.time())
    changed = [one for action in CHANGES for one in story.sim.calls(action)]
    until = now()
    stage.check(story.controller.process.poll() is None, "it goes on", story.controller.process.poll())
    etcd.pass_all()
    return since, until, [one for one in changed if one["timeMs"] > (began + LEASE_SECONDS) * 1000]


def check_requests(stage, requests, since, until):
    late = [one for one in requests if seconds_between(since, one.at) > LEASE_SECONDS]
    looks = [one for one in late if "/teedeployments/" in one.uri]
    stage.check(not looks, "nor does it look at an object or write one", looks)
    renewals = [one for one in late if "/leases/" in one.uri and seconds_between(one.at, until) > LEASE_SECONDS]
    is_silent = renewals and all(one.code != 200 for one in renewals)
    stage.check(is_silent, "it asks for its lease, and has no answer", requests)
