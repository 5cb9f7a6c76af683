"""A model behind HTTP: batches of texts in, classes or numbers out.

It answers whoever can reach it, and asks nobody who they are: put it behind a server that does, or
leave it on this machine's own address.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from swagger_ui_bundle import swagger_ui_path
from uvicorn.protocols.http.h11_impl import H11Protocol

from trainables.data.text.tokens import MAX_CHARACTERS
from trainables.serving.http.batcher import Batcher, Busy
from trainables.serving.model import Model, load_model

#: Texts of one request, and bytes of its body, at most.
MAX_TEXTS, MAX_BODY = 1024, 8 << 20

#: Seconds in which the head of a connection's first request and the body of any must have come, and
#: for which what is under way is waited for at the end.
HEAD_SECONDS, BODY_SECONDS, LAST_SECONDS = 10.0, 30.0, 10

#: Connections at a time; each may hold a body. One more is answered by 503.
MAX_CONNECTIONS = 128

#: The files of the page that shows the interface: it needs no other host.
_PAGE = "/docs/files"


class Texts(BaseModel):
    """What is asked."""

    model_config = ConfigDict(extra="forbid")

    texts: list[Annotated[str, Field(max_length=MAX_CHARACTERS)]] = Field(
        min_length=1, max_length=MAX_TEXTS, examples=[["a warm and moving film", "a dull mess"]]
    )


class Answer(BaseModel):
    """What the model says of a text: a class with the probability of each, or a number."""

    label: str | None = None
    probabilities: dict[str, float] | None = None
    value: float | None = None


class Answers(BaseModel):
    """One for each text, in their order."""

    predictions: list[Answer]


class Health(BaseModel):
    """That it answers, and what."""

    status: str
    model: str
    task: str
    classes: list[str]


class BoundedBody:
    """Turns a request away whose body is larger than ``limit`` bytes, whatever it says of itself,
    before it is held whole, or does not come in time."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count as its body comes."""
        if scope["type"] != "http":  # the server's own beginning and end, which may be days apart
            await self._app(scope, receive, send)
            return
        came, late = 0, asyncio.get_running_loop().time() + BODY_SECONDS

        async def counted() -> Message:
            nonlocal came
            try:
                async with asyncio.timeout_at(late):
                    message = await receive()
            except TimeoutError as error:
                said = f"the body did not come within {BODY_SECONDS:g} s"
                raise HTTPException(408, said) from error
            came += len(message.get("body", b""))
            if came > self._limit:
                raise HTTPException(413, f"a request has {self._limit:,} bytes at most: send less")
            return message

        await self._app(scope, counted, send)


class PromptProtocol(H11Protocol):
    """Closes a connection on which no request begins in time: uvicorn waits for the first one for
    ever, and it is one of ``MAX_CONNECTIONS``."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set the time."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._late = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the time go."""
        self._late.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if self.cycle is None:  # else the head of a request has come
            self.timeout_keep_alive_handler()


def build_app(model: Model, name: str, executor: ThreadPoolExecutor) -> FastAPI:
    """Return the application: ``/predict``, ``/health``, ``/docs`` and ``/openapi.json``."""
    batcher = Batcher(model.predict, executor)

    @asynccontextmanager
    async def at_work(_: FastAPI) -> AsyncIterator[None]:
        answering = asyncio.create_task(batcher.serve())
        try:
            yield
        finally:
            answering.cancel()

    app = FastAPI(title=f"seqtune: {name}", lifespan=at_work, docs_url=None, redoc_url=None)
    app.add_middleware(BoundedBody, limit=MAX_BODY)

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> JSONResponse:
        """Say what is wrong, and do not send the texts back, as FastAPI would."""
        wrong = [{"loc": one["loc"], "msg": one["msg"]} for one in error.errors()[:10]]
        return JSONResponse({"detail": wrong}, 422)

    @app.post("/predict", response_model_exclude_none=True)
    async def predict(asked: Texts) -> Answers:
        """Return what the model says of each text."""
        try:
            found = await batcher.predict(asked.texts)
        except Busy as error:
            busy = "too many texts are waiting: try again"
            raise HTTPException(503, busy, {"Retry-After": "1"}) from error
        return Answers(
            predictions=[
                Answer(label=one.label, probabilities=one.probabilities or None, value=one.value)
                for one in found
            ]
        )

    @app.get("/health")
    async def health() -> Health:
        """Return that it answers, and what the model is."""
        config = model.config
        return Health(status="ok", model=name, task=config.task, classes=list(config.classes))

    _show_page(app)
    return app


def _show_page(app: FastAPI) -> None:
    """Show the interface at ``/docs``, from files of this machine."""
    app.mount(_PAGE, StaticFiles(directory=swagger_ui_path))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url=f"{_PAGE}/swagger-ui-bundle.js",
            swagger_css_url=f"{_PAGE}/swagger-ui.css",
            swagger_favicon_url=f"{_PAGE}/favicon-32x32.png",
        )


@dataclass(frozen=True)
class Service:
    """What is served, and where.

    Attributes:
        name: what the model is called.
        folder: the model's.
        place: a socket that is bound; it listens once the model is loaded.
        threads: CPU threads of the model; None for all.
    """

    name: str
    folder: Path
    place: socket.socket
    threads: int | None


def serve_model(service: Service, ready: Callable[[], None]) -> None:
    """Serve a model until SIGINT or SIGTERM; what was asked before is answered. ``ready`` is called
    when it begins to listen.

    Raises:
        DataError: there is no model, or it is not whole.
    """
    # One thread of its own: torch's threads belong to the thread that has begun them.
    with ThreadPoolExecutor(max_workers=1) as executor:
        model = executor.submit(load_model, service.folder, service.threads).result()
        app = build_app(model, service.name, executor)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            http=PromptProtocol,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=LAST_SECONDS,
        )
        service.place.listen()
        ready()
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[service.place])
