"""3. An object is deleted and made anew under its name while nobody hears it.

Failing: the new object takes over the old instance, or has two, or the old one runs for ever. Guard taken out: the uid in
the deployment id (decode() in pkg/api/teedeployment.c). That what is remembered of a key ends with its uid (remember() in
pkg/reconcile/reconciler.c) is not seen here: without it the case still held.
"""

from client_cases.case import SWEEP, asked, lists, make_old, now, remove_by_hand, story_behind_proxy, unheard
from ec2_stack import wait_until


def tell(stage):
    story = story_behind_proxy(stage, SWEEP)
    with story.plane.restarts:
        old = story.create("twin")
        story.controller.start()
        story.await_ready(1, 30)
        make_old(story, old)
        with unheard(story):
            remove_by_hand(story, "twin")
            new = story.create("twin")
            since = now()
        wait_until(40, "the new one is ready", lambda: story.is_ready("twin"))
        stage.check(len(lists(story, since)) == 1, "one list told it", asked(story, since))
    instance = story.get("twin")["status"]["instance"]["id"]
    stage.check([one["id"] for one in story.sim.alive(new)] == [instance], "it has an instance of its own", story.sim.instances())
    wait_until(150, "the old instance is ended", lambda: not story.sim.alive(old), 1)
    stage.check(len(story.sim.instances()) == 2, "two launches", story.sim.instances())
