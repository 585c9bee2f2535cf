"""Two controllers and one lease, with the numbers of the defaults: 15, 10 and 2 s.

standby.py WORK PLANE

The one that does not lead keeps its cache and says so. It leads within 2 s when the other has stopped in order, and within
17 s when the other is killed; what was begun is ended, and nothing is listed or launched again. Failing: two leaders at once, a
second instance, a list at the moment when there is work. Seen to fail with the release at the end taken out of leader.c:
the first takeover takes 15 s.
"""

import http.client
import os
import signal
import sys
import time

import ec2_stack
import fault_proxy
from client_cases.case import free_port
from stage import Stage, conclude

LEASE = ("--leader-elect-lease-duration", "15", "--leader-elect-renew-deadline", "10", "--leader-elect-retry-period", "2")


class Replica:
    """A controller behind a proxy of its own, which tells what it asked for."""

    def __init__(self, story, name):
        self.health, self.metrics = free_port(), free_port()
        self.proxy = fault_proxy.FaultProxy(story.plane, story.folder)
        self.controller = ec2_stack.Controller(story.plane, story.sim, story.folder, story.name, story.name, *LEASE,
            "--health-probe-bind-address", f"127.0.0.1:{self.health}", "--metrics-bind-address", f"127.0.0.1:{self.metrics}")
        self.controller.log, self.controller.kubeconfig = f"{story.folder}/{name}.log", self.proxy.kubeconfig

    def ask(self, port, path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            with connection.getresponse() as answer:
                return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def readiness(self):
        code, text = self.ask(self.health, "/readyz")
        role = text.partition("role: ")[2].split("\n")[0]
        return code, role

    def leads_by_metric(self):
        return 'leader_election_master_status{name="tee-controller"} 1' in self.ask(self.metrics, "/metrics")[1]

    def tells(self, role):
        return self.readiness() == (200, role) and self.leads_by_metric() == (role == "leader")

    def await_role(self, role, seconds):
        """How long it took."""
        started = time.monotonic()
        ec2_stack.wait_until(seconds, f"it is {role}", lambda: self.tells(role), 0.02)
        return time.monotonic() - started

    def end(self, number):
        self.controller.process.send_signal(number)
        self.controller.process.wait()


def take_over(stage, story, leader, standby, how, limit):
    """The leader goes while a launch is under way."""
    name = f"begun-before-{how}"
    story.sim.fault(action="RunInstances", latencyMs=300)
    deployment = story.create(name)
    ec2_stack.wait_until(20, "its launch is recorded", lambda: (story.get(name).get("status") or {}).get("launch"), 0.02)
    leader.end(signal.SIGTERM if how == "stop" else signal.SIGKILL)
    moment = time.monotonic()
    standby.await_role("leader", 30)
    took = time.monotonic() - moment
    stage.check(took < limit, f"{how}: the standby leads in less than {limit} s", f"{took:.1f} s")
    stage.measured(f"{how}: it leads after {took:.1f} s")
    ec2_stack.wait_until(30, "the object is ready", lambda: story.is_ready(name))
    stage.check(len(story.sim.instances(deployment)) == 1, f"{how}: what was begun has one instance", story.sim.instances(deployment))
    lists = [one for one in standby.proxy.since(moment, fault_proxy.is_list) if one[2] == 200]
    stage.check(not lists, f"{how}: nothing is listed again", lists)
    story.create(f"new-after-{how}")
    ec2_stack.wait_until(30, "a new object is ready", lambda: story.is_ready(f"new-after-{how}"))


def tell(stage):
    story = stage.story()
    first, second = Replica(story, "first"), Replica(story, "second")
    first.controller.start()
    first.await_role("leader", 30)
    second.controller.start()
    second.await_role("standby", 30)
    story.create("quiet")
    story.await_ready(1, 30)
    stage.check(first.tells("leader") and second.tells("standby"), "readiness and metric tell who leads", second.readiness())
    take_over(stage, story, first, second, "stop", 2)
    first.controller.start()
    first.await_role("standby", 30)
    stage.check(second.tells("leader"), "who comes back is the standby now", second.readiness())
    take_over(stage, story, second, first, "kill", 17)
    stage.check(len(story.sim.instances()) == 5, "one instance for each of five objects", len(story.sim.instances()))
    first.controller.stop()


def main(work, plane):
    ec2_stack.end_with_children()
    stage = Stage("standby", [ec2_stack.Plane(plane)], work)
    stage.tell(tell)
    return conclude([stage])


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main(*sys.argv[1:]))
