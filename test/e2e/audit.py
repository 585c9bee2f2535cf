"""Counts what one user asked of the API server, from its audit log.

audit.py LOG USER SINCE [UNTIL]: a line per kind of request, `COUNT VERB RESOURCE[/SUBRESOURCE] CODE`; a watch counts when
it began. SINCE and UNTIL are RFC 3339 in UTC; the time of a request is when it was received.
"""

import collections
import json
import sys


def requests(path):
    with open(path, encoding="utf-8") as log:
        for line in log:
            try:
                yield json.loads(line)
            except ValueError:  # the last line, half written
                return


def kind(event):
    about = event.get("objectRef", {})
    resource = about.get("resource", event.get("requestURI", "?").partition("?")[0])
    if "subresource" in about:
        resource += "/" + about["subresource"]
    return event["verb"], resource, event.get("responseStatus", {}).get("code", 0)


def count(path, user, since, until):
    counted = collections.Counter()
    watches = set()
    for event in requests(path):
        received = event["requestReceivedTimestamp"]
        if event["user"]["username"] != user or not since <= received < until:
            continue
        if event["verb"] == "watch":  # told when it begins and again when it ends
            if event["auditID"] in watches:
                continue
            watches.add(event["auditID"])
        counted[kind(event)] += 1
    return counted


def main(path, user, since, until="9999"):
    for (verb, resource, code), times in sorted(count(path, user, since, until).items()):
        print(times, verb, resource, code)


if __name__ == "__main__":
    main(*sys.argv[1:])
