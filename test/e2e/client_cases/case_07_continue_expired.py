"""7. The token of the second page of a list expires; 600 objects, pages of 500, a server without streamed lists.

Failing: keys vanish with the page that never came and their instances are ended, or no full list follows. Guard taken
out: an end_list() after the first page (pkg/kube/watcher.c).
"""

import concurrent.futures
import time

import fault_proxy
from client_cases.case import changes, count_objects, story_behind_proxy, with_metrics
from ec2_stack import wait_until

COUNT = 600


def is_second_page(method, path):
    return fault_proxy.is_page(method, path) and "continue=" in path


def is_full_list(method, path):
    return fault_proxy.is_page(method, path) and "limit=" not in path


def count_for(story, seconds):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        yield count_objects(story)
        time.sleep(0.2)


def tell(stage):
    story = story_behind_proxy(stage)
    with_metrics(story)
    counted = []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: story.create(f"n{number}", {"desiredState": "Stopped"} if number else None), range(COUNT)))
    story.controller.start()
    story.await_ready(COUNT, 60)
    before = changes(story)
    started = time.monotonic()
    story.proxy.answer(fault_proxy.is_stream, 422, "Invalid", times=9)
    story.proxy.answer(is_second_page, 410, "Expired", before=lambda: counted.extend(count_for(story, 3)))
    story.proxy.answer(fault_proxy.is_watch, 410, "Expired")
    story.proxy.cut_watches()
    wait_until(30, "the full list was made", lambda: story.proxy.since(started, is_full_list))
    refused = [one for one in story.proxy.since(started, is_second_page) if one[2] == 410]
    stage.check(len(refused) == 1, "the second page was refused once", refused)
    stage.check(set(counted) == {COUNT}, "no key vanishes while the second page is awaited", counted)
    story.patch("n599", {"spec": {"desiredState": "Running"}})
    wait_until(30, "one of the second page runs", lambda: story.is_ready("n599") and story.get("n599")["status"].get("instance"))
    story.await_quiet(5)
    launched, ended = changes(story)
    stage.check((launched - 1, ended) == before, "nothing else was launched, and nothing ended", (launched, ended, before))
    stage.check(story.ready_count() == COUNT, "all are ready", story.ready_count())
