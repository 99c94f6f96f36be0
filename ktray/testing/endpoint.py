"""A small server on the loopback interface that speaks OpenAI's protocol and answers from a script.

    python -m ktray.testing.endpoint 8765

What it answers is a function of the request alone: run again, a study gives the same log.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

#: From a prompt and a seed to a reply.
Answer = Callable[[str, int], str]

_SEQUENCE = re.compile(r"### Sequence[^\n]*\n(\[[^\]]*\])")


def sometimes_right(prompt: str, seed: int) -> str:
    """Answer one sample in three with a program that is right, one with a wrong one, one with words."""
    found = _SEQUENCE.findall(prompt)
    values: list[int] = json.loads(found[-1]) if found else []
    return (f"output = {values}###", f"output = {values[:-1]}\n###", "I see no structure in this.")[seed % 3]


@dataclass(frozen=True, slots=True)
class Failure:
    """A scripted failure: an HTTP status, and what else its header says."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


class ScriptedEndpoint:
    """The server, while the block runs. The first requests meet `failures`, in order; then all succeed.

    With `key`, another key is refused as OpenAI does; the refusal names the key that was sent.
    """

    def __init__(
        self, answer: Answer = sometimes_right, failures: Sequence[Failure] = (), key: str = "", port: int = 0
    ) -> None:
        self.requests: list[dict[str, Any]] = []
        self.most_at_once = 0
        self._answer, self._failures, self._key = answer, list(failures), key
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """The base URL to give to a client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> ScriptedEndpoint:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Serve in this thread until it is interrupted."""
        self._server.serve_forever()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the base class names it so
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, headers, body = endpoint.respond(
                    self.path, request, self.headers.get("Authorization", "")
                )
                data = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    def respond(
        self, path: str, request: dict[str, Any], authorization: str
    ) -> tuple[int, Mapping[str, str], dict[str, Any]]:
        """Return status, headers and body for a request."""
        with self._lock:
            self.requests.append(request)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            failure = self._failures.pop(0) if self._failures else None
        try:
            given = authorization.removeprefix("Bearer ")
            if self._key and given != self._key:
                return 401, {}, {"error": {"message": f"Incorrect API key provided: {given}"}}
            if failure:
                return failure.status, failure.headers, {"error": {"message": "scripted failure"}}
            return 200, {}, self._completion(path, request)
        finally:
            with self._lock:
                self._at_once -= 1

    def _completion(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        chat = path.endswith("/chat/completions")
        prompt = "\n".join(m["content"] for m in request["messages"]) if chat else request["prompt"]
        text = self._answer(prompt, int(request.get("seed") or 0))
        for stop in request.get("stop") or ():
            text = text.split(stop, 1)[0]
        tokens = len(text.split())
        logprobs: dict[str, Any] = {
            "content": [
                {"token": w, "logprob": -0.5, "bytes": None, "top_logprobs": []} for w in text.split()
            ]
        }
        said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": logprobs if request.get("logprobs") and chat else None,
        }
        return {
            "id": "scripted",
            "object": "chat.completion" if chat else "text_completion",
            "created": 0,
            "model": request["model"],
            "choices": [{**choice, **said}],
            "usage": {
                "prompt_tokens": len(prompt.split()),
                "completion_tokens": tokens,
                "total_tokens": len(prompt.split()) + tokens,
            },
        }


def main(argv: list[str] | None = None) -> int:
    """Serve on the port that the command line names, until interrupted."""
    words = sys.argv[1:] if argv is None else argv
    if len(words) != 1 or not words[0].isdigit():
        print("error: expected one number, the port to listen on", file=sys.stderr)
        return 2
    server = ScriptedEndpoint(port=int(words[0]))
    print(f"serving on {server.url}", flush=True)
    try:
        server.serve()
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
