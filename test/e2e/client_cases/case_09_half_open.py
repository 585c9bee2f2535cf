"""9. A watch whose other end is gone without a word.

The server's bookmarks come each minute; 70 s of silence end the watch. What was heard last is the bookmark behind a streamed
list: when the controller starts nothing is left to be written, and the lease has moved etcd on since the object was. Failing:
the new object waits for ever, or a list is made, or the watch resumes at a version from before the bookmark. Guards taken
out: the idle timeout of run_stream() (pkg/kube/watcher.c); the version of bookmarks (watch_on_line(), pkg/kube/watch.c).
"""

import re
import time

from client_cases.case import asked, now, seconds_between, story_behind_proxy
from ec2_stack import wait_until


def tell(stage):
    story = story_behind_proxy(stage)
    story.create("old")
    story.controller.start()
    story.await_ready(1, 30)
    story.await_quiet(3)
    story.controller.kill()
    story.controller.start()
    wait_until(30, "it watches and leads", lambda: story.proxy.watches() and leads(story))
    time.sleep(3)
    written = version(story, "old")
    since = now()
    story.proxy.drop_watches()
    story.create("new")
    made = version(story, "new")
    wait_until(120, "the new one is ready", lambda: story.is_ready("new"), 0.5)
    ready, resumed = now(), [one for one in asked(story, since) if one.is_watch and one.code == 200]
    stage.measured(f"resumed {seconds_between(since, resumed[0].at):.1f} s and ready {seconds_between(since, ready):.1f} s after the watch went silent")
    versions = [int(re.search(r"[?&]resourceVersion=(\d*)", one.uri).group(1) or 0) for one in resumed]
    stage.check(len(versions) == 1 and written < versions[0] < made, "one watch, at the version of a bookmark", (written, resumed))
    lists = [one for one in asked(story, since) if one.is_list]
    stage.check(not lists, "and no list", lists)


def leads(story):
    lease = story.plane.insist("GET", f"/apis/coordination.k8s.io/v1/namespaces/{story.name}/leases/tee-controller")
    return lease["spec"]["holderIdentity"]


def version(story, name):
    return int(story.get(name)["metadata"]["resourceVersion"])
