"""The OpenAI SDK: what it is told through the gateway, and where its conversations go."""

import openai
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response

from gateway import story
from payloads import CHAT, CHAT_TOOL, COMPLETIONS, EMBEDDINGS, OPENAI, PNG, RESPONSES, WAV, assistant, chat_image
from payloads import system, text, user

KINDS = {CHAT: ChatCompletion, COMPLETIONS: Completion, RESPONSES: Response, EMBEDDINGS: CreateEmbeddingResponse}

# The order in which the typed events of a streamed response begin.
EVENTS = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.incomplete",
]


def connect(address):
    return openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=20)


def said(resource, value):
    """What an answer says, whole or as the list of a stream's events."""
    if isinstance(value, list):
        return said_in_stream(resource, value)
    assert isinstance(value, KINDS[resource]), type(value)
    match resource:
        case "chat.completions":
            assert value.choices[0].finish_reason == "length" and value.choices[0].message.role == "assistant"
            return value.choices[0].message.content
        case "completions":
            return [choice.text for choice in sorted(value.choices, key=lambda choice: choice.index)]
        case "responses":
            return value.output_text
        case "embeddings":
            return [list(item.embedding) for item in value.data]


def said_in_stream(resource, events):
    match resource:
        case "chat.completions":
            assert all(isinstance(event, ChatCompletionChunk) for event in events)
            assert events[-1].usage.completion_tokens == 8 and not events[-1].choices
            return "".join(event.choices[0].delta.content or "" for event in events[:-1])
        case "completions":
            assert events[-1].usage.completion_tokens == 8
            return ["".join(event.choices[0].text for event in events[:-1])]
        case "responses":
            kinds = list(dict.fromkeys(event.type for event in events))
            assert kinds == EVENTS, kinds
            assert [event.sequence_number for event in events] == list(range(len(events)))
            told = "".join(event.delta for event in events if event.type == "response.output_text.delta")
            assert told == events[-1].response.output_text
            return told


def cached(value):
    """Tokens of the prompt that the engine's cache held."""
    if isinstance(value, list):
        value = value[-1].response if hasattr(value[-1], "response") else value[-1]
    usage = value.usage
    details = usage.input_tokens_details if isinstance(value, Response) else usage.prompt_tokens_details
    return details.cached_tokens


def check_payloads(gateway):
    for name, (resource, arguments) in OPENAI.items():
        told = gateway.ask(resource, arguments)
        expected = said(resource, gateway.ask_engine(told.served_by, resource, arguments))
        assert said(resource, told.value) == expected, f"{name}: {told.value} is not {expected}"


# === conversations of two turns: the arguments of the first, and of the second given the first's answer ===


def chat_turns(name, content=None, **more):
    first = [system(story(name)), user(content or "Why?")]
    yield CHAT, {"messages": first, "max_tokens": 8, **more}
    answer = yield
    told = said(CHAT, answer)
    yield CHAT, {"messages": [*first, assistant(told), user("And then?")], "max_tokens": 8, **more}


def completion_turns(name):
    prompt = story(name)
    yield COMPLETIONS, {"prompt": prompt, "max_tokens": 8}
    answer = yield
    yield COMPLETIONS, {"prompt": prompt + said(COMPLETIONS, answer)[0] + "And then?", "max_tokens": 8}


def id_turns(name):
    ids = [int.from_bytes(story(name)[at : at + 4].encode(), "little") for at in range(0, 6000, 4)]
    yield COMPLETIONS, {"prompt": ids, "max_tokens": 8}
    yield
    yield COMPLETIONS, {"prompt": [*ids, 1, 2, 3], "max_tokens": 8}


def response_turns(name, first=None, **more):
    items = first or [user([text("Why?", "input_text")])]
    yield RESPONSES, {"input": items, "instructions": story(name), "max_output_tokens": 8, **more}
    answer = yield
    told = said(RESPONSES, answer)
    items = [*items, assistant([text(told, "output_text", annotations=[])]), user("And then?")]
    yield RESPONSES, {"input": items, "instructions": story(name), "max_output_tokens": 8, **more}


def previous_turns(name):
    yield RESPONSES, {"input": "Why?", "instructions": story(name), "max_output_tokens": 8}
    answer = yield
    rest = {"instructions": story(name), "previous_response_id": answer.id, "max_output_tokens": 8}
    yield RESPONSES, {"input": "And then?", **rest}


def embedding_turns(name):
    yield EMBEDDINGS, {"input": story(name)}
    yield
    yield EMBEDDINGS, {"input": story(name) + "And then?"}


STREAM = {"stream": True, "stream_options": {"include_usage": True}}
AUDIO = [text("Who speaks?"), {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}]
IMAGE = [
    text("What is this?", "input_text"),
    {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
]

CONVERSATIONS = {
    "chat": chat_turns,
    "chat-stream": lambda name: chat_turns(name, **STREAM),
    "chat-tools": lambda name: chat_turns(name, tools=[CHAT_TOOL]),
    "chat-image-data": lambda name: chat_turns(name, chat_image(f"data:image/png;base64,{PNG}")["content"]),
    "chat-image-http": lambda name: chat_turns(name, chat_image("https://images.test/dove.png")["content"]),
    "chat-audio": lambda name: chat_turns(name, AUDIO),
    "completions": completion_turns,
    "completions-ids": id_turns,
    "responses": response_turns,
    "responses-stream": lambda name: response_turns(name, stream=True),
    "responses-image": lambda name: response_turns(name, [user(IMAGE)]),
    "responses-conversation": lambda name: response_turns(name, conversation=f"conv-{name}"),
    "responses-previous": previous_turns,
    "embeddings": embedding_turns,
}


def check_errors(client):
    for call, kind in [
        (lambda: client.post("/nowhere", cast_to=object, body={}, options={"headers": {"X-Session-Id": "lost"}}), None),
        (lambda: client.chat.completions.create(model="other", messages=[user()]), "NotFoundError"),
        (lambda: client.models.retrieve("other"), None),
    ]:
        try:
            call()
        except openai.NotFoundError as error:
            assert error.status_code == 404 and error.response.headers["x-session-id"]
            assert kind is None or error.body["type"] == kind, error.body
        else:
            raise AssertionError("an unknown path and an unknown model are errors")
    assert [model.id for model in client.models.list()] == ["simulated"]
