"""What the checks of both SDKs share: a client of the gateway, clients of the engines behind it, and what a call told."""

import uuid
from dataclasses import dataclass
from operator import attrgetter

from payloads import MODEL


@dataclass
class Told:
    """One answer: the SDK's own object, or the list of them that a stream gave, and what its headers said."""

    value: object
    served_by: str
    session: str


class Gateway:
    """Calls that go through the gateway, and the same calls to the engine that answered them."""

    def __init__(self, gateway, engines):
        self.client = gateway
        self.engines = engines
        self.served = set()

    def ask(self, resource, arguments, session=None):
        """One call; a stream is read to its end."""
        headers = dict(arguments.get("extra_headers", {}))
        if session:
            headers["X-Session-Id"] = session
        arguments = {**arguments, "extra_headers": headers}
        raw = attrgetter(resource)(self.client).with_raw_response.create(model=MODEL, **arguments)
        value = raw.parse()
        if arguments.get("stream"):
            value = list(value)
        told = Told(value, raw.headers["x-served-by"], raw.headers.get("x-session-id", ""))
        if sent := headers.get("X-Session-Id"):
            assert told.session == sent, f"{sent!r} came back as {told.session!r}"
        elif names_a_session(arguments):
            assert told.session == "", f"{told.session!r} came back although the body names the session"
        else:
            assert uuid.UUID(told.session).version == 4, f"{told.session!r} is no generated id"
        self.served.add(told.served_by)
        return told

    def ask_engine(self, name, resource, arguments):
        """The same question to one engine, not streamed: what it says is deterministic."""
        dropped = {"stream", "stream_options"}
        whole = {key: value for key, value in arguments.items() if key not in dropped}
        return attrgetter(resource)(self.engines[name]).create(model=MODEL, **whole)


def names_a_session(arguments):
    """Whether the body holds one of the fields of docs/sessions.md."""
    body = {**arguments, **arguments.get("extra_body", {})}
    fields = ("session_id", "conversation", "prompt_cache_key")
    return "session_id" in body.get("metadata", {}) or any(field in body for field in fields)


def story(name, size=6000):
    """A text of several blocks that shares nothing with another one."""
    line = "{} tells line {} of what it saw on its way. "
    text = ""
    number = 0
    while len(text) < size:
        text += line.format(name, number)
        number += 1
    return text
