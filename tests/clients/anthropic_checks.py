"""The Anthropic SDK: what it is told through the gateway, and where its conversations go."""

import anthropic
from anthropic.types import Message, TextBlock

from gateway import story
from payloads import ANTHROPIC, KEEP, MESSAGES, MESSAGES_TOOL, PNG, assistant, text, user

EVENTS = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
]


def connect(address):
    return anthropic.Anthropic(base_url=address, api_key="none", max_retries=0, timeout=20)


def said(_resource, value):
    """What an answer says, whole or as the list of a stream's events."""
    if isinstance(value, list):
        kinds = list(dict.fromkeys(event.type for event in value))
        assert kinds == EVENTS, kinds
        assert value[-2].usage.output_tokens == 8 and value[-2].delta.stop_reason == "max_tokens"
        return "".join(event.delta.text for event in value if event.type == "content_block_delta")
    assert isinstance(value, Message) and isinstance(value.content[0], TextBlock), value
    assert value.usage.output_tokens == 8 and value.stop_reason == "max_tokens"
    return value.content[0].text


def cached(value):
    """Tokens of the prompt that the engine's cache held."""
    message = value[0].message if isinstance(value, list) else value
    return message.usage.cache_read_input_tokens


def check_payloads(gateway):
    for name, (resource, arguments) in ANTHROPIC.items():
        told = gateway.ask(resource, arguments)
        expected = said(resource, gateway.ask_engine(told.served_by, resource, arguments))
        assert said(resource, told.value) == expected, f"{name}: {told.value} is not {expected}"


def turns(name, content="Why?", system=None, **more):
    system = system or story(name)
    first = [user(content)]
    yield MESSAGES, {"system": system, "messages": first, "max_tokens": 8, **more}
    answer = yield
    told = said(MESSAGES, answer)
    messages = [*first, assistant([text(told)]), user("And then?")]
    yield MESSAGES, {"system": system, "messages": messages, "max_tokens": 8, **more}


def blocks(name):
    return [text("You are a pigeon."), text(story(name), cache_control=KEEP)]


IMAGE = [
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
    text("What is this?"),
]

CONVERSATIONS = {
    "messages": turns,
    "messages-stream": lambda name: turns(name, stream=True),
    "messages-blocks": lambda name: turns(name, system=blocks(name)),
    "messages-tools": lambda name: turns(name, tools=[MESSAGES_TOOL]),
    "messages-image": lambda name: turns(name, IMAGE),
    "messages-metadata": lambda name: turns(name, metadata={"user_id": f"user-{name}"}),
    "messages-cache-control": lambda name: turns(name, cache_control=KEEP),
}


def check_errors(client):
    for call, kind in [
        (lambda: client.post("/v1/nowhere", cast_to=object, body={}), None),
        (lambda: client.messages.create(model="other", messages=[user()], max_tokens=8), "not_found_error"),
    ]:
        try:
            call()
        except anthropic.NotFoundError as error:
            assert error.status_code == 404 and error.response.headers["x-session-id"]
            assert kind is None or error.body["error"]["type"] == kind, error.body
        else:
            raise AssertionError("an unknown path and an unknown model are errors")
