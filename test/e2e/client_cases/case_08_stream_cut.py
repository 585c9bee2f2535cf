"""8. Streams of a list that are cut before their mark, at ten random places, or refused with 422.

By turns a cold start, and a list that a controller makes anew, its watch refused with 410, while an object went unheard: after
one cut, after two, after three (then in pages), or in pages at once. Failing: a part is taken for all, and objects vanish from
the cache; the one that went is gone before the list that tells it, or stays; the list is not had within seconds.
Guards taken out: watch_on_line() taking the first object for the mark (pkg/kube/watch.c); end_stream() ending the list of a
stream that broke off (pkg/kube/watcher.c), and by each cut the cache lost what had not come yet.
"""

import json
import random

import fault_proxy
from client_cases.case import asked, changes, count_objects, counted, now, readiness, remove_by_hand, seconds_between, story_behind_proxy, with_health, with_metrics
from ec2_stack import wait_until

COUNT, COLD_TURNS, WARM_TURNS = 20, 3, (1, 2, 1, 3)  # the cuts of each
REFUSED = 0


def tell(stage):
    story, draw = story_behind_proxy(stage), random.Random(8)
    with_metrics(story)
    with_health(story)
    for number in range(COUNT):
        story.create(f"n{number}")
    story.controller.start()
    story.await_ready(COUNT, 60)
    before = changes(story)
    for turn in range(COLD_TURNS):
        tell_cold(stage, story, draw, f"n{turn}")
    for turn, cuts in enumerate((*WARM_TURNS, REFUSED)):
        tell_warm(stage, story, draw, f"short{turn}", cuts)
    stage.check(changes(story) == before, "nothing was launched or ended", (changes(story), before))
    stage.check(story.ready_count() == COUNT, "all are ready", story.ready_count())


def cut_streams(story, draw, count):
    """The next so many, each in the middle of an object; by far not all of what a stream brings."""
    size = sum(len(json.dumps(one)) for one in story.objects()) // 2
    for _ in range(count):
        story.proxy.cut(fault_proxy.is_stream, draw.randrange(1, size))


def start_anew(story):
    """Each turn has a process of its own, whose back-off begins with the shortest."""
    story.controller.kill()
    story.controller.start()


def tell_cold(stage, story, draw, name):
    story.controller.stop()
    cut_streams(story, draw, 1)
    since = now()
    start_anew(story)
    wait_until(20, "it is ready", lambda: readiness(story)[0] == 200, 0.02)
    synced = now()
    stage.check(count_objects(story) == COUNT, "it is not ready before all are known", count_objects(story))
    lists = [one for one in asked(story, since) if one.is_list]
    stage.measured(f"cold start, cut once: ready {seconds_between(lists[0].at, synced):.1f} s after the stream that was cut")
    story.request_reconcile(name)
    wait_until(20, f"{name} is looked at", lambda: story.is_answered(name))


def tell_warm(stage, story, draw, name, cuts):
    how = ("refused", "cut once", "cut twice", "cut three times")[cuts]
    story.create(name, {"desiredState": "Stopped"})
    start_anew(story)
    wait_until(30, "all are known and ready", lambda: count_objects(story) == COUNT + 1 and story.ready_count() == COUNT + 1)
    with counted(story) as seen:
        story.proxy.hold_watches()
        remove_by_hand(story, name)
        cut_streams(story, draw, cuts)
        if cuts == REFUSED:
            story.proxy.answer(fault_proxy.is_stream, 422, "Invalid")
        story.proxy.answer(fault_proxy.is_watch, 410, "Expired")
        since = now()
        story.proxy.cut_watches()
        story.proxy.pass_watches()
        wait_until(40, f"{name} is gone, {how}", lambda: count_objects(story) == COUNT)
    story.proxy.clear()
    lists = [one for one in asked(story, since) if one.is_list]
    check_counts(stage, seen, lists[-1], how)
    known = next(at for at, count in seen if count == COUNT)
    stage.measured(f"{how}: all known {seconds_between(lists[-2:][0].at, known):.1f} s after the last list before, or this one, was asked for")


def check_counts(stage, seen, last_list, how):
    early = {count for at, count in seen if at < last_list.at}
    stage.check(early == {COUNT + 1}, f"{how}: nothing vanishes before the list that is had whole", early)
    counts = [count for _, count in seen]
    stage.check(set(counts) == {COUNT, COUNT + 1} and counts == sorted(counts, reverse=True), f"{how}: then exactly what went", counts)
