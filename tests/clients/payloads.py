"""What the clients ask: one entry a request, by the SDK's resource and the arguments of its `create`.

`record.py` writes down what the SDKs make of them; `drive.py` sends them through a real gateway.
"""

import base64

MODEL = "simulated"

# One transparent pixel, and eight samples of silence.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WAV = base64.b64encode(
    b"RIFF\x34\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00"
    b"data\x10\x00\x00\x00" + bytes(16)
).decode()

# Quotes, line ends, a tab and letters of one to four bytes: what an encoder may write in more than one way.
QUESTION = 'Why "homing"?\n\tGrüße, 你好, 🐦.'
ANSWER = "Because it finds its way back."
RULES = "You answer in one sentence. " * 12

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Name of the city"}, "days": {"type": "integer"}},
    "required": ["city"],
}
DESCRIPTION = "The weather of a city for the next days"


def system(text=RULES):
    return {"role": "system", "content": text}


def user(content=QUESTION):
    return {"role": "user", "content": content}


def assistant(content=ANSWER):
    return {"role": "assistant", "content": content}


def text(words, kind="text", **more):
    return {"type": kind, "text": words, **more}


# === OpenAI: chat completions ===

CHAT_TOOL = {"type": "function", "function": {"name": "weather", "description": DESCRIPTION, "parameters": WEATHER}}
CHAT_CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Bern"}'}}


def chat_image(url):
    return user([text("What is this?"), {"type": "image_url", "image_url": {"url": url, "detail": "low"}}])


CHAT = "chat.completions"
COMPLETIONS = "completions"
RESPONSES = "responses"
EMBEDDINGS = "embeddings"
MESSAGES = "messages"

OPENAI = {
    "chat-plain": (CHAT, {"messages": [system(), user()], "max_tokens": 8}),
    "chat-second-turn": (CHAT, {"messages": [system(), user(), assistant(), user("And then?")], "max_tokens": 8}),
    "chat-stream": (
        CHAT,
        {
            "messages": [system(), user()],
            "max_completion_tokens": 8,
            "stream": True,
            "stream_options": {"include_usage": True},
        },
    ),
    "chat-tools": (
        CHAT,
        {"messages": [user("How will it be in Bern?")], "tools": [CHAT_TOOL], "tool_choice": "auto", "max_tokens": 8},
    ),
    "chat-tool-result": (
        CHAT,
        {
            "messages": [
                user("How will it be in Bern?"),
                {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]},
                {"role": "tool", "tool_call_id": "call_1", "content": '{"sun": 0.7}'},
            ],
            "tools": [CHAT_TOOL],
            "max_tokens": 8,
        },
    ),
    "chat-image-data-url": (CHAT, {"messages": [chat_image(f"data:image/png;base64,{PNG}")], "max_tokens": 8}),
    "chat-image-http-url": (CHAT, {"messages": [chat_image("https://images.test/dove.png")], "max_tokens": 8}),
    "chat-input-audio": (
        CHAT,
        {
            "messages": [
                user([text("Who speaks?"), {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}])
            ],
            "max_tokens": 8,
        },
    ),
    "chat-identities": (
        CHAT,
        {
            "messages": [user("Hello")],
            "max_tokens": 8,
            "user": "user-7",
            "safety_identifier": "safe-7",
            "prompt_cache_key": "group-7",
            "metadata": {"session_id": "meta-7"},
            "extra_headers": {"X-Session-Id": "session-7"},
        },
    ),
    "chat-vllm-extras": (
        CHAT,
        {
            "messages": [user("Hello")],
            "max_tokens": 8,
            "extra_body": {
                "session_id": "body-7",
                "cache_salt": "tenant-a",
                "top_k": 20,
                "vllm_xargs": {"session_id": "xargs-7"},
                "chat_template_kwargs": {"enable_thinking": False},
            },
        },
    ),
    "chat-json-schema": (
        CHAT,
        {
            "messages": [{"role": "developer", "content": "Answer in JSON."}, user("How will it be in Bern?")],
            "max_tokens": 8,
            "response_format": {"type": "json_schema", "json_schema": {"name": "weather", "schema": WEATHER}},
        },
    ),
    # === completions ===
    "completions-text": (COMPLETIONS, {"prompt": RULES + QUESTION, "max_tokens": 8}),
    "completions-list": (COMPLETIONS, {"prompt": ["One.", "Two."], "max_tokens": 8}),
    "completions-token-ids": (COMPLETIONS, {"prompt": [9906, 11, 1917, 0], "max_tokens": 8}),
    "completions-token-id-lists": (COMPLETIONS, {"prompt": [[9906, 11], [1917, 0]], "max_tokens": 8}),
    "completions-stream": (
        COMPLETIONS,
        {"prompt": "Once upon", "max_tokens": 8, "stream": True, "stream_options": {"include_usage": True}},
    ),
    # === responses ===
    "responses-plain": (RESPONSES, {"input": QUESTION, "instructions": RULES, "max_output_tokens": 8}),
    "responses-stream": (
        RESPONSES,
        {"input": QUESTION, "instructions": RULES, "max_output_tokens": 8, "stream": True},
    ),
    "responses-items": (
        RESPONSES,
        {
            "input": [
                {"role": "developer", "content": RULES},
                user([text(QUESTION, "input_text")]),
                {
                    "type": "message",
                    "id": "msg_1",
                    "role": "assistant",
                    "status": "completed",
                    "content": [text(ANSWER, "output_text", annotations=[])],
                },
                user("And then?"),
            ],
            "max_output_tokens": 8,
        },
    ),
    "responses-previous": (
        RESPONSES,
        {"input": "And then?", "previous_response_id": "resp_1", "instructions": RULES, "max_output_tokens": 8},
    ),
    "responses-conversation": (RESPONSES, {"input": "Hello", "conversation": "conv_7", "max_output_tokens": 8}),
    "responses-conversation-object": (
        RESPONSES,
        {"input": "Hello", "conversation": {"id": "conv_7"}, "max_output_tokens": 8},
    ),
    "responses-input-image": (
        RESPONSES,
        {
            "input": [
                user(
                    [
                        text("What is this?", "input_text"),
                        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
                    ]
                )
            ],
            "max_output_tokens": 8,
        },
    ),
    "responses-tools": (
        RESPONSES,
        {
            "input": [
                user("How will it be in Bern?"),
                {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Bern"}'},
                {"type": "function_call_output", "call_id": "call_1", "output": '{"sun": 0.7}'},
            ],
            "tools": [
                {"type": "function", "name": "weather", "description": DESCRIPTION, "parameters": WEATHER, "strict": True}
            ],
            "max_output_tokens": 8,
        },
    ),
    "responses-identities": (
        RESPONSES,
        {
            "input": "Hello",
            "max_output_tokens": 8,
            "prompt_cache_key": "group-7",
            "safety_identifier": "safe-7",
            "metadata": {"session_id": "meta-7"},
            "store": False,
            "extra_headers": {"X-Session-Id": "session-7"},
        },
    ),
    # === embeddings; the SDK asks for base64 where the caller says nothing ===
    "embeddings-text": (EMBEDDINGS, {"input": QUESTION}),
    "embeddings-list": (EMBEDDINGS, {"input": ["One.", "Two."], "encoding_format": "float"}),
    "embeddings-token-ids": (EMBEDDINGS, {"input": [9906, 11, 1917, 0]}),
    "embeddings-token-id-lists": (EMBEDDINGS, {"input": [[9906, 11], [1917, 0]]}),
    "embeddings-base64": (EMBEDDINGS, {"input": "One.", "encoding_format": "base64", "dimensions": 8}),
}

# === Anthropic: messages ===

MESSAGES_TOOL = {"name": "weather", "description": DESCRIPTION, "input_schema": WEATHER}
KEEP = {"type": "ephemeral"}

ANTHROPIC = {
    "messages-plain": (MESSAGES, {"system": RULES, "messages": [user()], "max_tokens": 8}),
    "messages-second-turn": (
        MESSAGES,
        {"system": RULES, "messages": [user(), assistant(), user("And then?")], "max_tokens": 8},
    ),
    "messages-stream": (MESSAGES, {"system": RULES, "messages": [user()], "max_tokens": 8, "stream": True}),
    "messages-system-blocks": (
        MESSAGES,
        {
            "system": [text("You are a pigeon."), text(RULES, cache_control=KEEP)],
            "messages": [user([text(QUESTION, cache_control=KEEP)])],
            "max_tokens": 8,
        },
    ),
    "messages-cache-control": (
        MESSAGES,
        {"system": RULES, "messages": [user()], "max_tokens": 8, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ),
    "messages-tools": (
        MESSAGES,
        {
            "tools": [MESSAGES_TOOL],
            "tool_choice": {"type": "auto"},
            "messages": [user("How will it be in Bern?")],
            "max_tokens": 8,
        },
    ),
    "messages-tool-result": (
        MESSAGES,
        {
            "tools": [MESSAGES_TOOL],
            "messages": [
                user("How will it be in Bern?"),
                assistant(
                    [
                        {"type": "thinking", "thinking": "I look it up.", "signature": "c2lnbmF0dXJl"},
                        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bern"}},
                    ]
                ),
                user([{"type": "tool_result", "tool_use_id": "toolu_1", "content": [text('{"sun": 0.7}')]}]),
            ],
            "max_tokens": 8,
        },
    ),
    "messages-image-base64": (
        MESSAGES,
        {
            "messages": [
                user(
                    [
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                        text("What is this?"),
                    ]
                )
            ],
            "max_tokens": 8,
        },
    ),
    "messages-image-url": (
        MESSAGES,
        {
            "messages": [
                user(
                    [
                        {"type": "image", "source": {"type": "url", "url": "https://images.test/dove.png"}},
                        text("What is this?"),
                    ]
                )
            ],
            "max_tokens": 8,
        },
    ),
    "messages-document": (
        MESSAGES,
        {
            "messages": [
                user(
                    [
                        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": RULES}},
                        text("What does it say?"),
                    ]
                )
            ],
            "max_tokens": 8,
        },
    ),
    "messages-metadata": (
        MESSAGES,
        {
            "messages": [user("Hello")],
            "max_tokens": 8,
            "metadata": {"user_id": "user-7"},
            "extra_headers": {"X-Session-Id": "session-7", "anthropic-beta": "context-1m"},
        },
    ),
}
