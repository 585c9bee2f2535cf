"""12. The server throttles the controller's account, its token ends, and the definition of its resource is away.

Throttled: every request but the lease's is answered 429 with Retry-After 3 for 10 s. The token: the kubeconfig names a file;
the old token's Secret is deleted, the file replaced. The definition: absent at the start, made later, and taken
away while the controller runs. Failing: requests in a loop, an exit, or a new start that is needed. Guards taken out: the
Retry-After in back_off() (pkg/kube/watch.c); the reading of the file after a 401 (pkg/kube/credentials.c); is_refused() in put_store()
(cmd/controller/readiness.c).
"""

import http.client
import time

import fault_proxy
from client_cases.case import readiness, story_behind_proxy, with_health
from ec2_stack import OBJECTS, wait_until

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def is_no_lease(method, path):
    return "/leases/" not in path


def tell(stage):
    story = story_behind_proxy(stage)
    use_token_file(story)
    with_health(story)
    story.create("a")
    story.controller.start()
    story.await_ready(1, 30)
    tell_throttle(stage, story)
    tell_token(stage, story)
    tell_definition(stage, story)
    stage.check(story.controller.process.poll() is None, "it never ended", story.controller.process.poll())


def tell_throttle(stage, story):
    story.proxy.answer(is_no_lease, 429, "TooManyRequests", times=1000, headers={"Retry-After": "3"})
    started = time.monotonic()
    story.proxy.cut_watches()
    story.create("throttled")
    time.sleep(10)
    asked = story.proxy.since(started, is_no_lease)
    story.proxy.clear()
    stage.check(0 < len(asked) <= 12, "while it is throttled it asks each 3 s", len(asked))
    wait_until(20, "then it goes on", lambda: story.is_ready("throttled"))


def use_token_file(story):
    secrets = "/api/v1/namespaces/tee-system/secrets"
    story.tokens = []
    for name in (f"{story.name}-old", f"{story.name}-new"):
        story.plane.insist("POST", secrets, {"metadata": {"name": name}})
        uid = story.plane.insist("GET", f"{secrets}/{name}")["metadata"]["uid"]
        request = {"spec": {"audiences": ["https://kubernetes.default.svc"], "expirationSeconds": 3600,
            "boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": name, "uid": uid}}}
        answer = story.plane.insist("POST", "/api/v1/namespaces/tee-system/serviceaccounts/tee-controller/token", request)
        story.tokens.append((f"{secrets}/{name}", answer["status"]["token"]))
    story.token_file = f"{story.folder}/token"
    write(story.token_file, story.tokens[0][1])
    with open(story.controller.kubeconfig, encoding="utf-8") as file:
        text = file.read()
    write(story.controller.kubeconfig, text.replace(f"{{token: {story.plane.token}}}", f"{{tokenFile: {story.token_file}}}"))


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def tell_token(stage, story):
    write(story.token_file, story.tokens[1][1])
    story.plane.insist("DELETE", story.tokens[0][0])
    wait_until(40, "the old token is refused", lambda: not is_accepted(story, story.tokens[0][1]))
    started = time.monotonic()
    story.create("after")
    wait_until(20, "it goes on with the new token", lambda: story.is_ready("after"))
    stage.measured(f"a new object ready {time.monotonic() - started:.1f} s after the token's end")


def is_accepted(story, token):
    """The server remembers for some seconds that it was."""
    connection = http.client.HTTPSConnection(story.plane.host, context=story.plane.tls_of_others, timeout=10)
    connection.request("GET", OBJECTS, headers={"Authorization": f"Bearer {token}"})
    with connection.getresponse() as answer:
        return answer.status != 401


def tell_definition(stage, story):
    definition = story.plane.insist("GET", f"{CRD}/teedeployments.tee.dev")
    story.plane.insist("DELETE", story.path)
    story.await_gone(30)
    story.controller.stop()
    story.plane.insist("DELETE", f"{CRD}/teedeployments.tee.dev")
    wait_until(20, "the definition is gone", lambda: story.plane.request("GET", OBJECTS)[0] == 404)
    started = time.monotonic()
    story.controller.start()
    time.sleep(6)
    asked = story.proxy.since(started, lambda method, path: "/teedeployments?" in path)
    stage.check(0 < len(asked) <= 8, "without a definition it asks now and then", len(asked))
    make_definition(story, definition)
    story.create("defined")
    wait_until(45, "it goes on once there is one", lambda: story.is_ready("defined"))
    stage.check(readiness(story)[0] == 200, "and is ready to be counted on", readiness(story))
    alive = {one["id"] for one in story.sim.alive()}
    story.patch("defined", {"metadata": {"finalizers": []}})
    story.controller.free_lease()
    story.plane.insist("DELETE", f"{CRD}/teedeployments.tee.dev")
    wait_until(20, "the definition is away", lambda: story.plane.request("GET", OBJECTS)[0] == 404)
    story.proxy.cut_watches()
    wait_until(40, "it is not ready to be counted on", lambda: says_away(*readiness(story)))
    make_definition(story, definition)
    story.create("again")
    wait_until(60, "and again after it was away", lambda: story.is_ready("again"))
    stage.check(readiness(story)[0] == 200, "and ready again", readiness(story))
    stage.check(alive <= {one["id"] for one in story.sim.instances()}, "nothing was forgotten", alive)


def says_away(code, body):
    return code == 503 and "[-] store not ready: GET /apis/tee.dev" in body and "404" in body


def make_definition(story, definition):
    fresh = {"apiVersion": definition["apiVersion"], "kind": definition["kind"], "spec": definition["spec"],
        "metadata": {"name": definition["metadata"]["name"]}}
    wait_until(20, "the definition can be made", lambda: story.plane.request("POST", CRD, fresh)[0] == 201)
    wait_until(20, "and is served", lambda: story.plane.request("GET", OBJECTS)[0] == 200)
