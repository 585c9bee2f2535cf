"""What the cases share: a story behind a fault proxy, an API server that forgets its past, and what a controller did."""

import base64
import contextlib
import datetime
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import typing

import audit
import fault_proxy
from ec2_stack import CHANGES, OBJECTS, PLENTY, Controller, Plane, start, wait_until


def story_behind_proxy(stage, flags=()):
    story = stage.story(flags=(*PLENTY, *flags))
    story.proxy = fault_proxy.FaultProxy(story.plane, story.folder)
    story.controller.kubeconfig = story.proxy.kubeconfig
    return story


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def with_metrics(story):
    """The controller serves its metrics; count_objects() asks for one."""
    story.metrics_port = free_port()
    story.controller.flags += ["--metrics-bind-address", f"127.0.0.1:{story.metrics_port}"]


def with_health(story):
    """The controller serves its health; readiness() asks for it."""
    story.health_port = free_port()
    story.controller.flags += ["--health-probe-bind-address", f"127.0.0.1:{story.health_port}"]


def readiness(story):
    """Status and body of /readyz; None while nothing is served."""
    connection = http.client.HTTPConnection("127.0.0.1", story.health_port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        with connection.getresponse() as answer:
            return answer.status, answer.read().decode()
    except OSError:
        return None, ""
    finally:
        connection.close()


def count_objects(story):
    """How many the controller's cache holds; None while it serves nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", story.metrics_port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        with connection.getresponse() as answer:
            return int(re.search(r"^tee_objects (\d+)", answer.read().decode(), re.M).group(1))
    except OSError:
        return None
    finally:
        connection.close()


@contextlib.contextmanager
def counted(story):
    """Meanwhile, 50 times a second, and once at the end: when, as the audit log writes it, and how many the cache holds."""
    seen, is_over = [], threading.Event()

    def sample():
        while not is_over.wait(0.02):
            seen.append((now(), count_objects(story)))
        seen.append((now(), count_objects(story)))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield seen
    finally:
        is_over.set()
        sampler.join()


def changes(story):
    """Calls that cost money or hosts."""
    return len(story.sim.calls("RunInstances")), len(story.sim.calls("TerminateInstances"))


def lease(story):
    """As whoever leads wrote it."""
    return story.plane.insist("GET", lease_path(story))["spec"]


def lease_path(story):
    return f"/apis/coordination.k8s.io/v1/namespaces/{story.name}/leases/tee-controller"


def second_replica(story):
    """Another controller of the story, behind a proxy of its own."""
    second = Controller(story.plane, story.sim, story.folder, story.name, story.name, *story.controller.flags)
    second.log, second.proxy = story.folder + "/second.log", fault_proxy.FaultProxy(story.plane, story.folder)
    second.kubeconfig = second.proxy.kubeconfig
    return second


def stop(controller):
    controller.process.send_signal(signal.SIGSTOP)


def go_on(controller):
    controller.process.send_signal(signal.SIGCONT)


API_SERVER_STARTS = threading.Lock()  # one at a time: each keeps the machine busy for seconds, and the other cases waiting
SWEEP = ("--orphan-sweep-interval", "5")


@contextlib.contextmanager
def unheard(story):
    """What is done meanwhile the controller does not hear of, not even from its own socket, and no watch can tell it later."""
    story.proxy.hold_watches()
    stop(story.controller)
    yield
    forget_the_past(story.plane)
    story.proxy.cut_watches()
    story.proxy.pass_watches()
    go_on(story.controller)


def remove_by_hand(story, name):
    """Without its finalizer an object goes at once."""
    story.patch(name, {"metadata": {"finalizers": []}})
    story.delete(name)


def make_old(story, deployment):
    """No orphan is younger than a minute."""
    for one in story.sim.alive(deployment):
        story.sim.change(one["id"], startedAgoMs=120000)


def etcd(port, action, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", f"/v3/kv/{action}", json.dumps(body))
    with connection.getresponse() as answer:
        return json.loads(answer.read())


def api_server(plane):
    """Its process id, its command line, and the port of its etcd."""
    with open(f"{plane.folder}/kube-apiserver.pid", encoding="utf-8") as file:
        pid = int(file.read())
    with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
        command = file.read().rstrip("\0").split("\0")
    return pid, command, int(next(one for one in command if one.startswith("--etcd-servers=")).rsplit(":", 1)[1])


def forget_the_past(plane):
    """etcd is compacted and the API server started anew: no watch can be resumed from before."""
    pid, command, port = api_server(plane)
    os.kill(pid, signal.SIGKILL)
    wait_until(10, "the API server's port is free", lambda: is_free(plane.host))
    newest = etcd(port, "range", {"key": base64.b64encode(b"/").decode()})["header"]["revision"]
    etcd(port, "compaction", {"revision": newest})
    with open(f"{plane.folder}/kube-apiserver.log", "ab") as log:
        process = start(command, env={"HOME": f"{plane.folder}/home", "PATH": "/usr/bin:/bin"}, stdout=log, stderr=log)
    with open(f"{plane.folder}/kube-apiserver.pid", "w", encoding="utf-8") as file:
        file.write(f"{process.pid}\n")
    wait_until(60, "the API server is back", lambda: serves(plane))


def start_second(plane, etcd_port, folder="second"):
    """Another API server for the same objects, which reaches etcd at that port and keeps an audit log in its folder."""
    kube = os.path.join(os.path.dirname(__file__), "../../../hack/kube.sh")
    with API_SERVER_STARTS:
        subprocess.run([kube, "second", plane.folder, str(etcd_port), folder], env=os.environ | {"TEE_KUBE_AUDIT": "1"},
            stdout=subprocess.DEVNULL, check=True)
    return Plane(f"{plane.folder}/{folder}")


class Request(typing.NamedTuple):
    """One that the controller made, as the API server's audit log has it."""

    at: str  # when it was received
    verb: str
    uri: str
    code: int
    identity: str  # of the replica that made it: the end of its User-Agent

    @property
    def is_watch(self):
        return self.verb == "watch" and "/teedeployments?" in self.uri and "sendInitialEvents" not in self.uri

    @property
    def is_list(self):
        """Of everything: a stream with its initial events, or the first page. What a proxy refused never came."""
        is_stream = "sendInitialEvents=true" in self.uri
        is_page = self.verb == "list" and "continue=" not in self.uri
        return "/teedeployments?" in self.uri and self.code == 200 and (is_stream or is_page)

    @property
    def is_write(self):
        """Of an object or its status."""
        return self.verb not in ("get", "list", "watch") and "/teedeployments" in self.uri

    @property
    def is_status_write(self):
        return self.verb == "patch" and self.uri.partition("?")[0].endswith("/status")


def seconds_between(earlier, later):
    """Of two times that the audit log or now() wrote."""
    return (datetime.datetime.fromisoformat(later) - datetime.datetime.fromisoformat(earlier)).total_seconds()


def now():
    """As the audit log writes it."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def asked(story, since="", plane=None):
    """What the story's controllers asked of an API server from then on; a watch counts when it began."""
    return [one for one in asked_by_anyone(plane or story.plane, since) if story.name in one.uri]


def asked_by_anyone(plane, since=""):
    """As asked(), of all stories on the plane, and with what names none."""
    told = {}
    for event in audit.requests(f"{plane.folder}/audit.log"):
        at, uri, agent = event["requestReceivedTimestamp"], event["requestURI"], event.get("userAgent", "")
        if at >= since and agent.startswith("tee-controller/"):
            code, identity = event.get("responseStatus", {}).get("code", 0), agent.rpartition(" ")[2]
            told.setdefault(event["auditID"], Request(at, event["verb"], uri, code, identity))
    return list(told.values())


class ChangesTap:
    """Stands between one controller and its tee-sim, whose log does not tell who called, and notes calls that change something."""

    def __init__(self, controller):
        address = controller.sim.about["endpoint"].removeprefix("http://").rsplit(":", 1)
        self.sim, self.noted, self.listener = (address[0], int(address[1])), [], socket.create_server(("127.0.0.1", 0))
        controller.environment["AWS_ENDPOINT_URL_EC2"] = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def since(self, moment):
        """The calls from then on, a moment of now(), as (moment, action); a dry run is one too."""
        return [one for one in list(self.noted) if one[0] >= moment]

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(self.sim)
            for ends in ((client, server, self.note), (server, client, lambda seen: seen)):
                threading.Thread(target=self.pass_on, args=ends, daemon=True).start()

    def pass_on(self, source, target, note):
        seen = b""
        with contextlib.suppress(OSError):  # the other direction may have ended first
            while piece := source.recv(65536):
                seen = note(seen + piece)[-64:]
                target.sendall(piece)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def note(self, seen):
        """What follows the last name, for one that comes in two pieces."""
        end = 0
        for found in re.finditer(rb"Action=(\w+)&", seen):
            end = found.end()
            if found.group(1).decode() in CHANGES:
                self.noted.append((now(), found.group(1).decode()))
        return seen[end:]


def lists(story, since):
    """By what it read everything. An old etcd (compat.sh) cannot tell where a stream's list ends: it breaks off, and pages follow."""
    read = [one for one in asked(story, since) if one.is_list]
    pages = [one for one in read if one.verb == "list"]
    return pages if pages and os.environ.get("TEE_COMPAT") == "etcd 3.4" else read


def is_free(address):
    """A process that looks ended holds its port until the last of its threads has gone."""
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return False
    return True


def serves(plane):
    try:
        return plane.request("GET", OBJECTS)[0] == 200
    except OSError:
        return False


def watch_generations(story, name, seconds):
    """What status.observedGeneration was, 50 times a second."""
    seen, limit = [], time.monotonic() + seconds
    while time.monotonic() < limit:
        seen.append(story.get(name)["status"].get("observedGeneration", -1))
        time.sleep(0.02)
    return seen
