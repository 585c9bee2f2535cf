"""6. What the controller wrote is not in its watch for 6 s, and the spec is flipped meanwhile.

Nothing that the watch brings passes from the moment at which the attempt is written. Failing: the controller goes on with
what it knew before, which is told by what it asks about the object; a second launch, a status that goes back, or a conflict
told as an error. Guard taken out: is_store_fresh always true (pkg/reconcile/observe.c). Then the object was read again and
again; the live GET before each change and the resourceVersion on each status still kept it from harm.
"""

import threading
import time

from client_cases.case import asked, now, story_behind_proxy, watch_generations
from ec2_stack import wait_until


def tell(stage):
    story = story_behind_proxy(stage)
    held = threading.Event()

    def is_status(method, path):
        return method == "PATCH" and "/teedeployments/a/status" in path

    def hold():
        story.proxy.hold_watches()
        held.set()

    story.proxy.before(is_status, hold)
    story.controller.start()
    deployment = story.create("a")
    held.wait(20)
    time.sleep(0.5)
    since = now()
    seen = []
    sampler = threading.Thread(target=lambda: seen.extend(watch_generations(story, "a", 12)))
    sampler.start()
    for state in ("Stopped", "Running", "Stopped", "Running"):
        story.patch("a", {"spec": {"desiredState": state}})
    time.sleep(5.5)
    about_it = [one for one in asked(story, since) if is_about(one, "a")]
    stage.check(not about_it, "while its write is unseen it waits", about_it)
    story.proxy.pass_watches()
    sampler.join()
    wait_until(40, "it is ready", lambda: story.is_ready("a"))
    stage.check(len(story.sim.instances(deployment)) == 1, "one instance", story.sim.instances())
    stage.check(len(story.sim.calls("RunInstances")) == 1, "one launch", story.sim.calls("RunInstances"))
    stage.check(seen == sorted(seen), "observedGeneration never goes back", seen)
    stage.check(story.get("a")["status"]["observedGeneration"] == 5, "and ends at the last", seen[-1])
    refused = [one for one in asked(story) if one.code == 409 and "/events" not in one.uri]
    stage.check(len(refused) <= 5, "a conflict is rare", refused)
    noise = [line for line in story.controller.last_lines(2000) if '"level":"error"' in line]
    stage.check(not noise, "no conflict is an error", noise[:3])


def is_about(request, name):
    """The controller asked for this object or wrote it, by itself."""
    return request.uri.partition("?")[0].endswith((f"/teedeployments/{name}", f"/teedeployments/{name}/status"))
