"""7. The token of the second page of a list expires by etcd's compaction; 1,200 objects, pages of 500.

An API server of the case's own, so that starting it anew disturbs nobody. The list is had in pages because a proxy refuses
streams, and begins because it refuses a watch once. When the second page is asked for, an object of the first is removed,
etcd is compacted past the token's version, and the API server starts anew: it has no snapshot of the past any more, and
refuses the token by itself. The controller may make ten requests a second, so that what it writes about so many objects
keeps no one from working. Failing: keys vanish with the pages that never came, a host is ended as an orphan, or no full list
follows. Guard taken out: end_list() only after the last page (run_page(), pkg/kube/watcher.c), and the cache held 500; the
orphan sweep, which reads a list of its own before it ends anything, kept the hosts.
"""

import concurrent.futures

import fault_proxy
from client_cases.case import SWEEP, api_server, asked, changes, count_objects, counted, forget_the_past, make_old, now, remove_by_hand, seconds_between, start_second, story_behind_proxy, with_metrics
from ec2_stack import OBJECTS, wait_until

COUNT = 1200
RUNNING = ("n0", "n5", "n999")  # on the first, second and third page; the others cost no launch


def tell(stage):
    stage.planes = [start_second(stage.planes[0], api_server(stage.planes[0])[2], "second-7")]
    wait_until(30, "its definition is served", lambda: stage.planes[0].request("GET", OBJECTS)[0] == 200)
    story = story_behind_proxy(stage, (*SWEEP, "--kube-api-qps", "10"))
    with_metrics(story)
    story.proxy.answer(fault_proxy.is_stream, 422, "Invalid", times=9)
    make_objects(story)
    before = changes(story)
    with counted(story) as seen:
        since = list_anew(story)
        wait_until(120, "the removed one is gone", lambda: count_objects(story) == COUNT - 1)
    requests = [one for one in asked(story, since) if one.verb == "list"]
    check_requests(stage, requests)
    check_counts(stage, seen, requests[-1].at)
    story.await_quiet(5)
    stage.check(changes(story) == before, "nothing was launched or ended", (changes(story), before))
    stage.check(len(story.sim.alive()) == len(RUNNING), "the hosts run", story.sim.instances())


def make_objects(story):
    """First those that run, which are ready, and then the others, of which the cache knows."""
    names = [f"n{number}" for number in range(COUNT)]
    deployments = [story.create(name) for name in RUNNING]
    story.controller.start()
    story.await_ready(len(RUNNING), 60)
    for one in deployments:
        make_old(story, one)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: story.create(name, {"desiredState": "Stopped"}), sorted(set(names) - set(RUNNING))))
    wait_until(60, "all are known", lambda: count_objects(story) == COUNT)


def is_second_page(method, path):
    return fault_proxy.is_page(method, path) and "continue=" in path


def list_anew(story):
    """When that began."""
    def expire():
        remove_by_hand(story, "n1")
        forget_the_past(story.plane)

    story.proxy.before(is_second_page, expire)
    story.proxy.answer(fault_proxy.is_watch, 410, "Expired")
    since = now()
    story.proxy.cut_watches()
    return since


def check_requests(stage, requests):
    """A server that starts may answer with an error before it serves."""
    told = [("continue=" in one.uri, "limit=500" in one.uri, one.code) for one in requests if one.code < 500]
    expected = [(False, True, 200), (True, True, 410), (False, False, 200)]
    stage.check(told == expected, "the server refuses the token, and one list of everything follows", (told, requests))


def check_counts(stage, seen, full_list):
    early = {count for at, count in seen if at < full_list}
    stage.check(early == {COUNT}, "no key vanishes before the full list", early)
    counts = [count for _, count in seen]
    stage.check(set(counts) == {COUNT, COUNT - 1} and counts == sorted(counts, reverse=True), "then exactly the removed one", set(counts))
    known = next(at for at, count in seen if count == COUNT - 1)
    stage.measured(f"counted {len(seen)} times in {seconds_between(seen[0][0], known):.1f} s, the last {seconds_between(full_list, known):.1f} s of them for the full list")
