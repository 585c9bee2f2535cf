"""2. An object goes while nobody hears it, its finalizer taken off by hand.

Failing: the cache keeps the object, or its instance runs for ever. After the new list the key is looked at once more; the object is not there, and the
orphan sweep, which finds the instance by its tags, ends it when it was without an object twice. Guard taken out: the
call of orphan_sweep_run() (cmd/controller/inventory_loop.c).
"""

from client_cases.case import SWEEP, asked, count_objects, lists, make_old, now, remove_by_hand, story_behind_proxy, unheard, with_metrics
from ec2_stack import wait_until


def tell(stage):
    story = story_behind_proxy(stage, SWEEP)
    with_metrics(story)
    with story.plane.restarts:
        gone, kept = story.create("gone"), story.create("kept")
        story.controller.start()
        story.await_ready(2, 30)
        make_old(story, gone)
        stage.check(count_objects(story) == 2, "the cache holds two", count_objects(story))
        with unheard(story):
            remove_by_hand(story, "gone")
            since = now()
        wait_until(30, "the cache holds one", lambda: count_objects(story) == 1)
        stage.check(len(lists(story, since)) == 1, "one list told it", asked(story, since))
    wait_until(150, "the instance of the object that went is ended", lambda: not story.sim.alive(gone), 1)
    stage.check(len(story.sim.alive(kept)) == 1, "the other one runs", story.sim.instances(kept))
    stage.check(story.is_ready("kept"), "and is ready", story.get("kept")["status"])
