"""4. A controller starts against a server that lags behind, and goes on hearing what is no longer so.

Two API servers on one etcd. What etcd's watches bring to the second one is held back: its cache knows an edit that was
taken back since, a deletion of what was made anew, under the same deployment id, and nothing of what an object got. A new
controller starts against that server. What it asks for must be current, so that the server refuses it a streamed list
after 3 s, and answers one in pages from etcd when it has waited as long once more. What lags is the watch that follows: it
brings an edit and a deletion to which the controller would react, when both have been overtaken already.

Failing: a host is ended or launched for what nobody wants any more, or the list is of the past. Guards taken out, with
these servers: the comparison behind the live GET in pass_check_fence() (pkg/reconcile/effects.c), and both hosts were
ended when the watch told what had been; the missing resourceVersion of a streamed list (watch_next(), pkg/kube/watch.c)
being "0", and the list was of the past; both together, and this ended both hosts. Without pages after the
refusal (react(), ibid.) there is no list for as long as the server lags.
"""

import concurrent.futures

from client_cases.case import api_server, asked, changes, start_second
from ec2_stack import OBJECTS, PLENTY, wait_until
from etcd_proxy import EtcdProxy

BIG, ANY = {"spec": {"instance": {"instanceType": "m5.2xlarge"}}}, {"spec": {"instance": None}}
TWIN = {"deploymentID": "case-04-twin"}


def tell(stage):
    story = stage.story(flags=PLENTY)
    etcd = EtcdProxy(api_server(story.plane)[2])
    starting = concurrent.futures.ThreadPoolExecutor(1).submit(start_second, story.plane, etcd.port)
    story.create("edited")
    story.create("twin", TWIN)
    story.controller.start()
    story.await_ready(2, 30)
    story.controller.kill()
    second = starting.result()
    let_it_lag(stage, story, etcd, second)
    before = changes(story)
    tell_start(stage, story, second)
    stage.check(changes(story) == before, "nothing was launched or ended at the start", (changes(story), before))
    tell_watch(story, etcd, second)
    stage.check(changes(story) == before, "nor on what came late", (changes(story), before))
    etcd.pass_watches()
    wait_until(30, "all are ready", lambda: story.ready_count() == 3 and is_up_to_date(story, second))
    story.await_quiet(3)
    stage.check(changes(story) == before, "nor afterwards", (changes(story), before))


def cached(story, server):
    """What the cache of a server has of each object."""
    code, answer = server.request("GET", f"{OBJECTS}?resourceVersion=0&labelSelector=story%3D{story.name}")
    return {one["metadata"]["name"]: one for one in answer["items"]} if code == 200 else {}


def is_up_to_date(story, server):
    known = {name: one["metadata"]["resourceVersion"] for name, one in cached(story, server).items()}
    return known == {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in story.objects()}


def is_behind(story, server):
    """It has the edit and the deletion, and not what came after them."""
    known = cached(story, server)
    is_edited = known and known["edited"]["spec"].get("instance")
    return bool(is_edited and known["twin"]["metadata"].get("deletionTimestamp"))


def let_it_lag(stage, story, etcd, second):
    story.patch("edited", BIG)
    story.delete("twin")
    story.create("young")
    wait_until(30, "the second server has it so", lambda: "young" in cached(story, second))
    etcd.hold_watches()
    story.patch("edited", ANY)
    story.controller.start()
    wait_until(30, "the deleted one is gone", lambda: not story.get("twin"))
    story.create("twin", TWIN)
    story.await_ready(3, 30)
    story.controller.kill()
    stage.check(is_behind(story, second), "the second server lags behind", cached(story, second))


def tell_start(stage, story, second):
    story.controller.kubeconfig = second.controller_kubeconfig
    story.controller.start()
    wait_until(30, "it has a list", lambda: looked_at(story, second) or any(one.is_watch and one.code == 200 for one in asked(story, plane=second)))
    story.await_quiet(3)
    stage.check(is_behind(story, second), "that server lagged all the time", cached(story, second))
    stage.check(not looked_at(story, second), "by its list there is nothing to be done", looked_at(story, second))


def tell_watch(story, etcd, second):
    etcd.pass_watches()
    wait_until(30, "the second server is up to date", lambda: is_up_to_date(story, second))
    etcd.hold_watches()
    story.delete("twin")
    story.patch("edited", BIG)
    wait_until(10, "both are on their way", lambda: etcd.is_waiting(b"m5.2xlarge"))
    count = etcd.count_waiting()
    story.patch("edited", ANY)
    story.patch("twin", {"metadata": {"finalizers": []}})
    story.create("twin", TWIN)
    etcd.pass_first(count)
    wait_until(30, "it would act on both", lambda: looked_at(story, second) == {"edited", "twin"})
    story.await_quiet(3)


def looked_at(story, server):
    """Objects that the controller read by themselves, as it does before it changes anything."""
    read = asked(story, plane=server)
    return {one.uri.rpartition("/")[2] for one in read if one.verb == "get" and "/teedeployments/" in one.uri}
