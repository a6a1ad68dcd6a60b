"""Real servers on this machine that keep what they are sent: one takes webhooks, one takes mail."""

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Inbox:
    """What arrived; `answers` are the codes that the next posts get (200 when used up)."""

    port: int = 0
    posts: list[dict[str, Any]] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@contextmanager
def webhooks() -> Iterator[Inbox]:
    """An HTTP server that takes JSON posts."""
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            code = inbox.answers.pop(0) if inbox.answers else 200
            if code == 200:
                inbox.posts.append({"type": self.headers["Content-Type"], **json.loads(body)})
            self.send_response(code)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name upstream
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        inbox.port = server.server_port
        yield from _served(server, inbox)


@contextmanager
def letters(folder: Path, *, protected: bool = False) -> Iterator[Inbox]:  # noqa: C901  # one verb a branch
    """A mail server; with `protected` it offers STARTTLS with a certificate that `folder/ca.pem` vouches for."""
    inbox = Inbox()
    context = _context(folder) if protected else None

    class Handler(socketserver.StreamRequestHandler):
        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def handle(self) -> None:
            self.say("220 test")
            secure = False
            while line := self.rfile.readline().decode().strip():
                inbox.commands.append(line)
                word = line.split()[0].upper()
                if word == "EHLO":
                    offers = ["250-test", *(["250-STARTTLS"] if context and not secure else []), "250 AUTH PLAIN"]
                    self.say("\r\n".join(offers))
                elif word == "STARTTLS" and context:
                    self.say("220 go ahead")
                    try:
                        self.request = context.wrap_socket(self.request, server_side=True)
                    except ssl.SSLError:  # the client does not trust the certificate
                        return
                    self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)
                    secure = True
                elif word == "AUTH":
                    self.say("235 welcome" if secure else "538 encrypt first")
                elif word == "DATA":
                    self.say("354 go on")
                    body = []
                    while (part := self.rfile.readline().decode()) != ".\r\n":
                        body.append(part)
                    inbox.letters.append("".join(body))
                    self.say("250 taken")
                elif word == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 fine")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        inbox.port = server.server_address[1]
        yield from _served(server, inbox)


def _served(server: socketserver.BaseServer, inbox: Inbox) -> Iterator[Inbox]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield inbox
    finally:
        server.shutdown()
        thread.join()


def _context(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate for localhost, made now."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context
