"""``serve`` as a process of its own, asked over HTTP."""

import asyncio
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import pytest
import uvicorn
from fastapi import HTTPException
from uvicorn.server import ServerState

from search.final.handover import hand_over
from search.journal.load import load_state
from tests.finished_study import train_study
from trainables.serving import load_model
from trainables.serving.http.server import (
    LAST_SECONDS,
    MAX_BODY,
    MAX_TEXTS,
    BoundedBody,
    PromptProtocol,
    build_app,
)
from trainables.storage import Cache

pytestmark = pytest.mark.slow
TEXTS = ["a warm and funny film", "", "DULL <br /> lazy mess", "Zeichen: ß, 漢字!", "a " * 60]


def serve(*arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "search", "serve", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


class Server:
    """A server at work."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.process = serve(str(folder), "--port", "0", "--threads", "1")
        found = re.search(r"http://127\.0\.0\.1:(\d+)/predict", self.process.stdout.readline())
        assert found, self.process.communicate()
        self.port = int(found[1])

    def ask(self, method: str, path: str, body=None, **headers):
        """Return the status, and the content."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            line.request(method, path, body, {"Content-Type": "application/json"} | headers)
            answer = line.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            line.close()

    def predict(self, texts):
        status, content = self.ask("POST", "/predict", json.dumps({"texts": texts}))
        assert status == 200, content
        return json.loads(content)["predictions"]


def made(tmp_path, tables):
    tables["search"] = {"trials": 1, "sampler": "random", "seed": 3}
    tables["stopping"] = {"max_epochs": 1, "grace_epochs": 1}
    tables["resources"] = {"precision": "float32"}
    cache = Cache(tmp_path / "cache")
    study = train_study(tmp_path / "results" / "small", tables, cache)
    hand_over(study, load_state(study), 0, tmp_path / "model", cache)
    return tmp_path / "model"


@pytest.fixture
def server(tmp_path, tables):
    server = Server(made(tmp_path, tables))
    yield server
    server.process.kill()
    server.process.communicate()


def test_it_says_what_the_model_says(server):
    expected = load_model(server.folder).predict(TEXTS)
    for found, one in zip(server.predict(TEXTS), expected, strict=True):
        assert found.keys() == {"label", "probabilities"} and found["label"] == one.label
        assert found["probabilities"] == pytest.approx(one.probabilities, abs=1e-6)
    status, content = server.ask("GET", "/health")
    health = json.loads(content)
    assert (status, health["status"], health["classes"]) == (200, "ok", ["bad", "good"])

    # Many at a time: each gets its own answers.
    asked = [[TEXTS[k % 5], TEXTS[(k + 2) % 5]] for k in range(60)]
    with ThreadPoolExecutor(12) as threads:
        for texts, answers in zip(asked, threads.map(server.predict, asked), strict=True):
            for text, found in zip(texts, answers, strict=True):
                alone = expected[TEXTS.index(text)].probabilities
                assert found["probabilities"] == pytest.approx(alone, abs=1e-6)

    # Its page asks no other host.
    assert "/predict" in json.loads(server.ask("GET", "/openapi.json")[1])["paths"]
    page = server.ask("GET", "/docs")[1]
    files = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert files and all(path.startswith("/docs/files/") for path in files)
    assert {server.ask("GET", path)[0] for path in files} == {200}

    server.process.send_signal(signal.SIGINT)
    _, err = server.process.communicate(timeout=30)
    assert server.process.returncode == 0 and err == ""


def test_what_it_cannot_read_is_refused_and_it_goes_on(server):
    def refused(body, **headers):
        return server.ask("POST", "/predict", body, **headers)[0]

    assert refused(b"{") == refused(b"[1]") == refused(b'{"text": "a"}') == 422
    assert refused(b'{"texts": "one text"}') == refused(b'{"texts": [1]}') == 422
    assert refused(b'{"texts": []}') == refused(b'{"texts": ["a"], "more": 1}') == 422
    assert refused(json.dumps({"texts": ["a"] * (MAX_TEXTS + 1)})) == 422
    assert refused(json.dumps({"texts": ["a" * 1_000_001]})) == 422
    assert refused(b'{"texts": ["' + b"a" * MAX_BODY + b'"]}') == 413
    chunks = (b"a" * 65536 for _ in range(MAX_BODY // 65536 + 2))
    assert refused(chunks) == 413  # it does not say how long it will be
    assert server.ask("GET", "/predict")[0] == 405
    assert refused(b'{"texts": ["\\ud800"]}') == 422
    said = server.ask("POST", "/predict", json.dumps({"texts": ["secret" * 10_000, 1]}))[1]
    assert "secret" not in said and len(said) < 1000
    assert server.predict(["a"])[0]["label"] in ("bad", "good")


def test_a_client_that_never_ends_its_request_does_not_hold_the_end_up(server):
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert server.predict(["a"])
        server.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        server.process.communicate(timeout=30)
    assert time.monotonic() - began < LAST_SECONDS + 5


def test_a_body_that_does_not_come_in_time_is_given_up(monkeypatch):
    monkeypatch.setattr("trainables.serving.http.server.BODY_SECONDS", 0.05)

    async def never():
        await asyncio.sleep(60)

    async def sent(message):
        raise AssertionError(message)

    async def application(scope, receive, send):
        await receive()

    waiting = BoundedBody(application, MAX_BODY)({"type": "http"}, never, sent)
    with pytest.raises(HTTPException) as refused:
        asyncio.run(waiting)
    assert refused.value.status_code == 408


def test_the_wait_for_the_servers_own_end_has_no_limit(monkeypatch):
    monkeypatch.setattr("trainables.serving.http.server.BODY_SECONDS", 0.05)
    told = list[str]()

    async def later():
        await asyncio.sleep(0.3)
        return {"type": "lifespan.shutdown"}

    async def sent(message):
        raise AssertionError(message)

    async def application(scope, receive, send):
        told.append((await receive())["type"])

    asyncio.run(BoundedBody(application, MAX_BODY)({"type": "lifespan"}, later, sent))
    assert told == ["lifespan.shutdown"]


def test_what_answers_ends_with_the_server_however_that_ends():
    async def lived():
        app = build_app(Mock(), "m", Mock())
        with pytest.raises(ZeroDivisionError):
            async with app.router.lifespan_context(app):
                await asyncio.sleep(0)
                assert len(asyncio.all_tasks()) == 2
                raise ZeroDivisionError
        await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    assert asyncio.run(lived()) == 1


@pytest.mark.parametrize("sent", [b"", b"GET /health HT"])
def test_a_connection_on_which_no_request_begins_is_closed(monkeypatch, sent):
    """So many of them as there may be would lock everybody out."""
    monkeypatch.setattr("trainables.serving.http.server.HEAD_SECONDS", 0.2)

    async def application(scope, receive, send):
        raise AssertionError(scope)

    async def read():
        loop, config = asyncio.get_running_loop(), uvicorn.Config(application, log_config=None)
        state = ServerState()
        server = await loop.create_server(
            lambda: PromptProtocol(config, state, {}, loop), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(sent)
        came = await asyncio.wait_for(reader.read(), 20)
        await asyncio.sleep(0.05)
        writer.close()
        server.close()
        return came, len(state.connections)

    assert asyncio.run(read()) == (b"", 0)


def test_what_cannot_be_served_is_one_line_and_exit_code_2(tmp_path, tables):
    folder = made(tmp_path, tables)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = serve(str(folder), "--port", str(taken.getsockname()[1]))
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and "cannot listen at 127.0.0.1, port" in err
    (folder / "model.safetensors").write_bytes(b"altered")
    for place, word in ((folder, "altered"), (tmp_path / "nothing", "no model")):
        process = serve(str(place), "--port", "0")
        out, err = process.communicate(timeout=60)
        assert process.returncode == 2 and not out and "Traceback" not in err and word in err
