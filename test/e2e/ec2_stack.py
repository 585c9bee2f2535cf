"""What the stories about EC2 are told with: an API server, a tee-sim, a controller, and objects that belong together.

Every story has a tee-sim, a namespace, a lease and a label of its own, and its controller serves that label alone. So
stories run side by side on one API server and no fault of one is felt by another. A controller runs with the service
account's real rights and takes its keys from the metadata service, as on an instance.
"""

import atexit
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
import zlib

GROUP = "/apis/tee.dev/v1alpha1"
OBJECTS = GROUP + "/teedeployments"
# What a fleet of hundreds needs in minutes, and a default refuses (docs/behaviour.md section 4).
PLENTY = ("--max-launches-per-hour-total", "10000", "--ec2-rate-share", "100")
DIGEST = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
ALIVE = ("pending", "running", "stopping", "stopped")
CHANGES = ("RunInstances", "StartInstances", "StopInstances", "TerminateInstances")
STOP_SECONDS = 20
BUSY_SECONDS = 30
ANSWER_SECONDS = 120  # the API server deletes hundreds of objects in one request


def end_with_children():
    """SIGTERM ends this process in an orderly way, and what was started by start() ends with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def start(command, **how):
    process = subprocess.Popen(command, **how)
    atexit.register(end, process)
    return process


class Timeout(Exception):
    pass


def wait_until(seconds, what, is_true, every=0.2):
    """Until is_true() gives something true, which is returned."""
    limit = time.monotonic() + seconds
    while True:
        result = is_true()
        if result:
            return result
        if time.monotonic() > limit:
            raise Timeout(f"{seconds} s passed before {what}")
        time.sleep(every)


def exchange(server, method, path, body, headers):
    """One call over the thread's own connection; one that was closed while nothing was said is opened again."""
    for is_again in (False, True):
        if not hasattr(server.local, "connection"):
            server.local.connection = server.connect()
        try:
            server.local.connection.request(method, path, body, headers)
            with server.local.connection.getresponse() as answer:
                return answer.status, answer.read().decode()
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):
            del server.local.connection
            if is_again:
                raise
    return None


class Plane:
    """An API server that hack/kube.sh started in a folder, seen as its administrator. Any thread may call."""

    def __init__(self, folder):
        self.folder = folder
        with open(f"{folder}/user.kubeconfig", encoding="utf-8") as file:
            self.host = re.search(r"server: https://(\S+)", file.read()).group(1)
        self.controller_kubeconfig = f"{folder}/controller.kubeconfig"
        with open(self.controller_kubeconfig, encoding="utf-8") as file:
            self.token = re.search(r"\{token: (\S+)\}", file.read()).group(1)
        self.tls_of_others = ssl.create_default_context(cafile=f"{folder}/pki/ca.crt")  # who are known by a token
        self.tls = ssl.create_default_context(cafile=f"{folder}/pki/ca.crt")
        self.tls.load_cert_chain(f"{folder}/pki/user.crt", f"{folder}/pki/user.key")
        self.local = threading.local()
        self.restarts = threading.Lock()  # who holds it has the API server for itself

    def connect(self):
        return http.client.HTTPSConnection(self.host, context=self.tls, timeout=ANSWER_SECONDS)

    def request(self, method, path, body=None, kind="application/json"):
        """The code and the JSON of the answer. As kubectl does it waits while the server says 429: a new resource's storage."""
        headers = {"Content-Type": kind, "Accept": "application/json"}
        limit = time.monotonic() + BUSY_SECONDS
        while True:
            code, text = exchange(self, method, path, json.dumps(body) if body is not None else None, headers)
            if code != 429 or time.monotonic() > limit:
                break
            time.sleep(1)
        return code, json.loads(text) if text.startswith("{") else {"message": text}

    def insist(self, method, path, body=None, kind="application/json"):
        code, answer = self.request(method, path, body, kind)
        if code >= 300:
            raise RuntimeError(f"{method} {path}: {code} {answer.get('message')}")
        return answer

    def make_namespace(self, name):
        """With the right to a lease there, as the service account has it in its own namespace."""
        self.insist("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces"
        for kind in ("roles", "rolebindings"):
            rule = self.insist("GET", f"{rbac}/tee-system/{kind}/tee-controller")
            rule["metadata"] = {"name": "tee-controller", "namespace": name}
            self.insist("POST", f"{rbac}/{name}/{kind}", rule)


class Sim:
    """A tee-sim of its own process."""

    def __init__(self, build, folder, *flags):
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/sim.log", "ab") as log:
            self.process = start([f"{build}/bin/tee-sim", "--state-dir", folder, *flags],
                env={"PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE, stderr=log)
        self.about = json.loads(self.process.stdout.readline())
        self.local = threading.local()

    def request(self, method, path, body=None, headers=None):
        code, text = exchange(self, method, path, json.dumps(body) if body is not None else None, headers or {})
        if code >= 300:
            raise RuntimeError(f"{method} {path}: {code} {text}")
        return text

    def connect(self):
        return http.client.HTTPConnection(self.about["endpoint"].removeprefix("http://"), timeout=ANSWER_SECONDS)

    def fault(self, **fault):
        self.request("POST", "/_sim/faults", fault)

    def clear_faults(self):
        self.request("DELETE", "/_sim/faults")

    def lag(self, **lag):
        self.request("POST", "/_sim/lag", lag)

    def change(self, instance, **change):
        self.request("POST", f"/_sim/instances/{instance}", change)

    def calls(self, action):
        """What was asked, a dry run being another action."""
        return json.loads(self.request("GET", f"/_sim/calls?action={action}"))["calls"]

    def instances(self, deployment=None):
        """Every instance of the last hour, the dead ones too; or those of one deployment id."""
        found = json.loads(self.request("GET", "/_sim/instances"))["instances"]
        return [one for one in found if deployment in (None, one["tags"].get("tee-deployment-id"))]

    def alive(self, deployment=None):
        return [one for one in self.instances(deployment) if one["state"] in ALIVE]

    def keys(self):
        """The keys that it hands out to whoever runs on its instances."""
        token = self.request("PUT", "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        path = "/latest/meta-data/iam/security-credentials/tee-controller"
        return json.loads(self.request("GET", path, headers={"X-aws-ec2-metadata-token": token}))

    def end(self):
        end(self.process)


class Controller:
    """tee-controller as a process that can be killed, stopped and started again."""

    def __init__(self, plane, sim, folder, label, namespace, *flags):
        self.plane, self.sim, self.label, self.namespace = plane, sim, label, namespace
        self.binary = os.environ["TEE_BUILD_DIR"] + "/bin/tee-controller"
        self.kubeconfig = plane.controller_kubeconfig
        self.log, self.flags, self.environment, self.process = f"{folder}/controller.log", list(flags), {}, None
        open(self.log, "ab").close()

    def start(self, **environment):
        endpoint = self.sim.about["endpoint"]
        variables = {"PATH": "/usr/bin:/bin", "AWS_ENDPOINT_URL_EC2": endpoint, "AWS_ENDPOINT_URL_STS": endpoint,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint, "AWS_REGION": "us-east-1",
            "AWS_NITRO_AMI_ID": "ami-0123456789abcdef0"}
        command = [self.binary, "--kubeconfig", self.kubeconfig, "--selector", f"story={self.label}",
            "--leader-elect-namespace", self.namespace, "--leader-elect-lease-duration", "4",
            "--leader-elect-renew-deadline", "3", "--leader-elect-retry-period", "1", "--inventory-interval", "2",
            "--attestation-root", self.sim.about["root"], "--attestation-port", str(self.sim.about["attestationPort"]),
            "--metrics-bind-address", "0", "--health-probe-bind-address", "0", "--allow-unmeasured", *self.flags]
        with open(self.log, "ab") as log:
            self.process = start(command, env=variables | self.environment | environment, stderr=log)

    def kill(self):
        """SIGKILL, and the lease is given up in its name: what is tested here is what it left, not the wait."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.free_lease()

    def free_lease(self):
        lease = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/tee-controller"
        self.plane.request("PATCH", lease, {"spec": {"holderIdentity": ""}}, "application/merge-patch+json")

    def stop(self):
        end(self.process)

    def last_lines(self, count):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()[-count:]

    def resident_kib(self, kind="VmRSS"):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return int(re.search(kind + r":\s+(\d+)", file.read()).group(1))


def end(process):
    """SIGTERM, by its own id, and SIGKILL for what does not go."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Story:
    """Objects of one label, in one namespace, with the sim and the controller that look after them."""

    def __init__(self, name, plane, folder, sim=None, flags=()):
        self.name, self.plane, self.folder, self.owns_sim = name, plane, folder, sim is None
        os.makedirs(self.folder, exist_ok=True)
        # Each account has ids of its own: an object of another story never claims an instance of this one.
        quick = ("--launch-ms", "200", "--boot-ms", "200", "--stop-ms", "200", "--seed", str(zlib.crc32(folder.encode())))
        self.sim = sim or Sim(os.environ["TEE_BUILD_DIR"], self.folder, *quick)
        self.path = f"{GROUP}/namespaces/{name}/teedeployments"
        plane.make_namespace(name)
        self.controller = Controller(plane, self.sim, self.folder, name, name, *flags)

    def end(self):
        self.controller.stop()
        if self.owns_sim:
            self.sim.end()

    def manifest(self, name, spec=None, annotations=None):
        whole = {"image": f"registry.example.com/hello@sha256:{DIGEST}", "enclave": {"cpuCount": 2, "memoryMiB": 512},
            "attestation": {"protocol": "Disabled"}}
        metadata = {"name": name, "namespace": self.name, "labels": {"story": self.name}, "annotations": annotations or {}}
        return {"apiVersion": "tee.dev/v1alpha1", "kind": "TeeDeployment", "metadata": metadata, "spec": whole | (spec or {})}

    def create(self, name, spec=None, annotations=None):
        """Its deployment id, which is the tag that its instances carry."""
        made = self.plane.insist("POST", self.path, self.manifest(name, spec, annotations))
        return made["spec"].get("deploymentID") or f"nitro-{made['metadata']['uid']}"

    def get(self, name):
        code, answer = self.plane.request("GET", f"{self.path}/{name}")
        return answer if code == 200 else None

    def objects(self):
        return self.plane.insist("GET", self.path)["items"]

    def patch(self, name, change, part=""):
        self.plane.insist("PATCH", f"{self.path}/{name}{part}", change, "application/merge-patch+json")

    def request_reconcile(self, name):
        now = str(time.time())
        self.patch(name, {"metadata": {"annotations": {"tee.dev/reconcile-requested-at": now}}})

    def delete(self, name):
        self.plane.insist("DELETE", f"{self.path}/{name}")

    def events(self, reason):
        path = f"/apis/events.k8s.io/v1/namespaces/{self.name}/events"
        return [event for event in self.plane.insist("GET", path)["items"] if event["reason"] == reason]

    def is_ready(self, name):
        return is_ready(self.get(name))

    def is_answered(self, name):
        return is_handled(self.get(name))

    def await_quiet(self, seconds):
        """No call to EC2 that changes anything for so long."""
        count = lambda: sum(len(self.sim.calls(action)) for action in CHANGES)
        before, since = count(), time.monotonic()
        while time.monotonic() - since < seconds:
            time.sleep(0.5)
            if count() != before:
                before, since = count(), time.monotonic()

    def ready_count(self):
        return sum(1 for one in self.objects() if is_ready(one))

    def await_ready(self, count, seconds):
        wait_until(seconds, f"{count} objects are ready", lambda: self.ready_count() == count, 0.5)

    def await_gone(self, seconds):
        wait_until(seconds, "every object is gone", lambda: not self.objects(), 0.5)


def condition(item, kind):
    found = [one for one in item.get("status", {}).get("conditions", []) if one["type"] == kind]
    return found[0] if found else {"status": "", "reason": "", "message": ""}


def is_ready(item):
    """Ready, as a judgement of the spec as it is now."""
    is_current = item and item.get("status", {}).get("observedGeneration") == item["metadata"]["generation"]
    return bool(is_current and condition(item, "Ready")["status"] == "True")


def is_handled(item):
    """The last request for a look was answered."""
    requested = item["metadata"].get("annotations", {}).get("tee.dev/reconcile-requested-at")
    return item.get("status", {}).get("lastHandledReconcileAt") == requested
