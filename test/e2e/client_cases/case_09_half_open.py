"""9. A watch whose other end is gone without a word.

The server's bookmarks come each minute; 70 s of silence end the watch. Failing: the new object waits for ever, or a list is
made, or the watch resumes at a version from before what it had told. Guard taken out: the idle timeout of run_stream() (pkg/kube/watcher.c).
"""

import re
import time

import fault_proxy
from client_cases.case import lists_since, story_behind_proxy
from ec2_stack import wait_until


def tell(stage):
    story = story_behind_proxy(stage)
    story.create("old")
    story.controller.start()
    story.await_ready(1, 30)
    heard = int(story.get("old")["metadata"]["resourceVersion"])
    started = time.monotonic()
    story.proxy.drop_watches()
    story.create("new")
    wait_until(90, "the new one is ready", lambda: story.is_ready("new"), 0.5)
    stage.check(time.monotonic() - started < 88, "within 75 s and its launch", time.monotonic() - started)
    stage.measured(f"ready {time.monotonic() - started:.1f} s after the watch went silent")
    resumed = [path for _, path, code in story.proxy.since(started, fault_proxy.is_watch) if code == 200]
    versions = [int(re.search(r"[?&]resourceVersion=(\d+)", path).group(1)) for path in resumed]
    stage.check(len(versions) == 1 and versions[0] >= heard, "resumed once, at what was heard last", (resumed, heard))
    stage.check(not lists_since(story.proxy, started), "without a list", lists_since(story.proxy, started))
