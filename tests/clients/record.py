"""Writes down, to the byte, what the SDKs send for each entry of `payloads.py`.

    record.py FOLDER             writes FOLDER/<client>-<name>.json
    record.py --check FOLDER     fails where a file there says something else

A file is one object: client, method, path, headers, body. Headers that say nothing about the request (keys, hosts,
the machine) are left out.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from operator import attrgetter
from pathlib import Path

import anthropic
import openai

from payloads import ANTHROPIC, MODEL, OPENAI

LEFT_OUT = {"host", "authorization", "x-api-key", "connection", "accept-encoding", "content-length", "idempotency-key"}
MOST = 6 * 1024


class Recorder(BaseHTTPRequestHandler):
    """Keeps the last request, and answers with an empty object."""

    last = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        names = sorted(name.lower() for name in self.headers)
        kept = [name for name in names if name not in LEFT_OUT and not name.startswith("x-stainless-")]
        headers = {name: self.headers[name] for name in kept}
        Recorder.last = {"method": "POST", "path": self.path, "headers": headers, "body": body}
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def recorded(client, name, payloads):
    for key, (resource, arguments) in payloads.items():
        attrgetter(resource)(client).with_raw_response.create(model=MODEL, **arguments)
        yield f"{name}-{key}.json", {"client": f"{name} {sys.modules[name].__version__}", **Recorder.last}


def main(arguments):
    check = arguments[:1] == ["--check"]
    folder = Path(arguments[-1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    openai_client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
    anthropic_client = anthropic.Anthropic(base_url=address, api_key="none", max_retries=0)
    requests = [*recorded(openai_client, "openai", OPENAI), *recorded(anthropic_client, "anthropic", ANTHROPIC)]
    stale = []
    for file, request in requests:
        text = json.dumps(request, indent=2, ensure_ascii=False) + "\n"
        assert len(text.encode()) <= MOST, f"{file} is too long for a test's data"
        path = folder / file
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(file)
    if stale:
        sys.exit(f"{', '.join(stale)}: not what the SDKs send; run tests/clients/record.py {folder}")
    print(f"{len(requests)} requests")


if __name__ == "__main__":
    main(sys.argv[1:])
