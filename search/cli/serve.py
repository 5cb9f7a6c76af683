"""``serve``: a model behind HTTP."""

import socket
from pathlib import Path

import click

from search.cli.options import results_option


@click.command()
@click.argument("model")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="0 takes any that is free.",
)
@click.option("--threads", type=click.IntRange(1), help="CPU threads; all by default.")
@results_option
def serve(model: str, host: str, port: int, threads: int | None, results_dir: Path) -> None:
    """Answer over HTTP what MODEL (a folder, or a study that was finalised) says of texts.

    POST /predict takes {"texts": [...]}, GET /health says that it answers, and /docs shows all of
    it. There is no login: anybody who reaches the address may ask. Ctrl-C ends it.
    """
    from importlib.util import find_spec

    from search.final.models import find_model

    folder = find_model(model, results_dir)
    if any(find_spec(name) is None for name in ("fastapi", "uvicorn", "swagger_ui_bundle")):
        raise click.UsageError("serve needs fastapi and uvicorn: pip install 'seqtune[serve]'")
    place = _bind(host, port)

    from trainables.serving.http.server import Service, serve_model

    host, port = place.getsockname()[:2]
    at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    serve_model(
        Service(model, folder, place, threads),
        lambda: click.echo(f"{model} answers at http://{at}/predict; see http://{at}/docs"),
    )


def _bind(host: str, port: int) -> socket.socket:
    """Take an address.

    Raises:
        UsageError: it cannot be had.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        # Named, for asyncio sends small answers at once only where it knows that this is TCP.
        place = socket.socket(family, kind, proto)
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(address)
    except OSError as error:
        raise click.UsageError(
            f"cannot listen at {host}, port {port}: {error.strerror}; name others with --host and "
            "--port"
        ) from error
    return place
