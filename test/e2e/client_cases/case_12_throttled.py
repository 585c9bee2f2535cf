"""12. The server throttles the controller's account, its token ends, and the definition of its resource is away.

Throttled: a priority level without seats and a FlowSchema for the account alone, for 20 s (50 with STORIES=full: the request
in its only place may last a minute); each request is answered 429 with Retry-After 1. The token: the kubeconfig names a
file; the file is replaced, and the old token's Secret deleted. The definition: absent at the start, made later, and taken
away while the controller runs. Requests are counted in the API server's audit log.

Failing: requests oftener than the server said, an act at EC2 without the lease, a 401 for each connection, an exit, or a new
start that is needed. Guards taken out: get_standby_wait() (pkg/kube/leader.c), and the lease was asked for 36 times in 21 s;
the credentials that the clients share (start_leader(), cmd/controller/wire.c), and two requests were refused for the old
token; the reading of the file after a 401 (pkg/kube/credentials.c); is_refused() in put_store()
(cmd/controller/readiness.c). Without pause_as_told() (pkg/kube/watch.c) a new object was ready 23 s after the throttle's
end, where it is 3 s.
"""

import http.client
import socket
import time

from client_cases.case import asked_by_anyone, changes, lease, now, readiness, seconds_between, story_behind_proxy, with_health
from ec2_stack import OBJECTS, wait_until

FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


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
    before, seconds = changes(story), 50 if stage.is_full else 20
    place = refuse_account(story)
    since = now()
    story.proxy.cut_watches()  # the server refuses to begin one, and lets go on those that it has begun
    story.create("throttled")
    wait_until(15, "it does not lead any more", lambda: "role: standby" in readiness(story)[1])
    time.sleep(seconds)
    told = readiness(story)
    stage.check(told[0] == 200 and "[+] store ok: GET /apis/tee.dev" in told[1] and "429" in told[1], "throttled: /readyz says so beside an ok", told)
    until = now()
    asked = [one for one in asked_by_anyone(story.plane, since) if one.at <= until]
    accept_account(story)
    place.close()
    ended = time.monotonic()
    check_rate(stage, asked)
    stage.check(changes(story) == before, "throttled: nothing is done at EC2", (changes(story), before))
    wait_until(60, "it leads again", lambda: "role: leader" in readiness(story)[1])
    stage.measured(f"it leads {time.monotonic() - ended:.1f} s after the end of the throttle")
    wait_until(60, "then it goes on", lambda: story.is_ready("throttled"))
    stage.measured(f"the new object ready {time.monotonic() - ended:.1f} s after it")
    stage.check(readiness(story)[0] == 200, "throttled: and it is ready to be counted on", readiness(story))


def refuse_account(story):
    """A priority level without a seat, for the controller's account alone; gives what holds on to the request in its only place.

    Where nothing else runs the server lets one request go on even there: so one of the account's, whose body never ends,
    is what runs.
    """
    limited = {"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}}
    story.plane.insist("POST", f"{FLOW}/prioritylevelconfigurations", {"metadata": {"name": story.name}, "spec": {"type": "Limited", "limited": limited}})
    account = {"kind": "ServiceAccount", "serviceAccount": {"namespace": "tee-system", "name": "tee-controller"}}
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    story.plane.insist("POST", f"{FLOW}/flowschemas", {"metadata": {"name": story.name}, "spec": {"matchingPrecedence": 50,
        "priorityLevelConfiguration": {"name": story.name}, "rules": [{"subjects": [account], "resourceRules": [everything]}]}})
    return wait_until(20, "the account is refused", lambda: take_place(story))


def take_place(story):
    """The connection of a request that does not end, or None if the account is not refused all the same."""
    host, port = story.plane.host.split(":")
    connection = story.plane.tls_of_others.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)
    head = (f"PATCH {story.path}/a/status HTTP/1.1", f"Host: {story.plane.host}", f"Authorization: Bearer {story.tokens[0][1]}",
        "Content-Type: application/merge-patch+json", "Content-Length: 1000", "", "{")
    connection.sendall("\r\n".join(head).encode())
    time.sleep(0.2)
    if code_for(story, story.tokens[0][1]) == 429:
        return connection
    connection.close()
    return None


def accept_account(story):
    for kind in ("flowschemas", "prioritylevelconfigurations"):
        story.plane.insist("DELETE", f"{FLOW}/{kind}/{story.name}")
    wait_until(20, "the account is accepted", lambda: code_for(story, story.tokens[0][1]) != 429)


def check_rate(stage, asked):
    """The server asks for a second between two requests. The lease has a connection of its own, and asks beside the rest."""
    refused = [one for one in asked if one.code == 429]
    stage.check(len(refused) == len(asked) and refused, "throttled: whatever it asks is refused", [one for one in asked if one.code != 429])
    for what, of in (("the lease", [one for one in refused if "/leases/" in one.uri]), ("the rest", [one for one in refused if "/leases/" not in one.uri])):
        passed = seconds_between(of[0].at, of[-1].at)
        stage.measured(f"{what}: {len(of)} requests in {passed:.0f} s")
        stage.check(len(of) - 1 <= passed + 1, f"throttled: {what} is asked for once a second at most", [one.at for one in of])


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
    """Each request that is under way when the old one ends is refused. Here it is the renewal of the lease alone; what comes later knows."""
    since = now()
    write(story.token_file, story.tokens[1][1])
    story.plane.insist("DELETE", story.tokens[0][0])
    wait_until(40, "the old token is refused", lambda: code_for(story, story.tokens[0][1]) == 401)
    refused_at = now()
    wait_until(20, "the lease is renewed with the new one", lambda: lease(story)["renewTime"] > refused_at)
    started = time.monotonic()
    story.create("after")
    wait_until(20, "it goes on with the new token", lambda: story.is_ready("after"))
    stage.measured(f"a new object ready {time.monotonic() - started:.1f} s after the token's end")
    refused = [one for one in asked_by_anyone(story.plane, since) if one.code == 401]
    stage.check(len(refused) <= 1, "the token: one request at most is refused", refused)
    stage.measured(f"refused for the old token: {len(refused)}")


def code_for(story, token):
    """What the server answers to who shows the token; it remembers for some seconds that one was good."""
    connection = http.client.HTTPSConnection(story.plane.host, context=story.plane.tls_of_others, timeout=10)
    connection.request("GET", OBJECTS, headers={"Authorization": f"Bearer {token}"})
    with connection.getresponse() as answer:
        return answer.status


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
