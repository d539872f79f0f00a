"""What the client must be told that a document cannot say.

It knows no lines of JSON, so it sends and reads them as lists here, and checks each line. It has no tokens of sessions, which
nobody can make up, so it is given a real one for some of the reports that would hold. And where everybody is asked who they are,
nobody is let in without a credential, but for who reports under such a token.
"""

import json
import os
import urllib.request

import schemathesis
from schemathesis import GenerationMode

LINES = "application/x-ndjson"
TITLE = {"profile": "ada", "content": "metropolis"}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    schemas = raw_schema["components"]["schemas"]
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            if os.environ.get("PLAYMARK_KEY") and operation["operationId"] != "report":
                operation["security"] = [way for way in operation.get("security", []) if way]
            for part in [operation.get("requestBody", {}), *operation["responses"].values()]:
                for content in part.get("content", {}).values():
                    described = schemas.get(content["schema"].get("$ref", "").rsplit("/", 1)[-1], {})
                    if "contentSchema" in described:
                        content["schema"] = {"type": "array", "items": described["contentSchema"]}


@schemathesis.serializer(LINES, "text/plain")
def send_lines(context, value):
    return "\n".join(map(json.dumps, value)) if isinstance(value, list) else json.dumps(value)


@schemathesis.deserializer(LINES)
def read_lines(context, response):
    return [json.loads(line) for line in response.content.splitlines()]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Gives three of four reports that would hold a token that does."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE or not case.path.startswith("/v1/"):
        return
    if case.path == "/v1/sync" and isinstance(case.body, dict):
        items = [*(case.body.get("heartbeats") or []), *(case.body.get("commands") or [])]
        if items:
            case.body["profile"] = TITLE["profile"]
    elif case.path == "/v1/heartbeats":
        items = case.body if isinstance(case.body, list) else [case.body]
    else:
        return
    for item in items:
        if isinstance(item, dict) and len(json.dumps(item)) % 4:
            for named in ["profile", "content", "session"]:
                item.pop(named, None)
            item["token"] = token(kwargs)


def token(kwargs, known={}):
    """The token of one session that is opened for all of them."""
    if not known:
        address = os.environ["PLAYMARK_HTTP"]
        headers = {"Content-Type": "application/json"}
        if os.environ.get("PLAYMARK_KEY"):
            headers["Authorization"] = "Bearer " + os.environ["PLAYMARK_KEY"]
        request = urllib.request.Request(f"http://{address}/v1/sessions", json.dumps(TITLE).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            known.update(json.load(answer))
    return known["token"]
