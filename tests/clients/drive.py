"""Drives a real SDK through a real gateway, and fails where an answer or its place is wrong.

    drive.py openai|anthropic GATEWAY NAME=ENGINE...      all of them addresses, such as http://127.0.0.1:8080

`x-served-by` says which engine answered. `tests/e2e/clients.rs` starts all that.
"""

import importlib
import sys

from gateway import Gateway

# One after another, each conversation with another prompt, so that returning by chance cannot last.
ROUNDS = 2


def converse(checks, gateway, kind, name, sessions):
    """Two turns; the second is to go where the first went, and to find there what the first left."""
    turns = checks.CONVERSATIONS[kind](name)
    resource, arguments = next(turns)
    first = gateway.ask(resource, arguments, sessions and sessions[0])
    next(turns)
    resource, arguments = turns.send(first.value)
    again = gateway.ask(resource, arguments, sessions and (sessions[1] or first.session))
    assert again.served_by == first.served_by, f"{name}: {first.served_by}, then {again.served_by}"
    if resource != "embeddings":
        held = checks.cached(again.value)
        assert held > 1000, f"{name}: {held} tokens were cached"


def main(sdk, address, *engines):
    checks = importlib.import_module(f"{sdk}_checks")
    engines = dict(engine.split("=", 1) for engine in engines)
    gateway = Gateway(checks.connect(address), {name: checks.connect(engine) for name, engine in engines.items()})
    checks.check_payloads(gateway)
    checks.check_errors(gateway.client)
    conversations = 0
    for number in range(ROUNDS):
        for kind in checks.CONVERSATIONS:
            name = f"{kind}-{number}"
            # An id of the client's own; the id that was generated for the first turn; no id at all.
            converse(checks, gateway, kind, f"{name}-own", (f"session-{name}", f"session-{name}"))
            converse(checks, gateway, kind, f"{name}-generated", (None, None))
            converse(checks, gateway, kind, f"{name}-prompt", None)
            conversations += 3
    assert gateway.served == set(engines), f"only {gateway.served} of {set(engines)} served anything"
    print(f"{sdk}: {conversations} conversations")


if __name__ == "__main__":
    main(*sys.argv[1:])
