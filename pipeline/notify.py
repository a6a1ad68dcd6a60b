"""Telling people: a failed night or a red check, as a Slack-compatible webhook and as mail.

A notice holds names of jobs, steps, checks and kinds of errors, and where to look: never a message of an error, a
study code or a figure, since it leaves the machine. Who is told stands in `[notify]` of `study.toml`; addresses with
secrets in them and passwords come from the environment. A notice that cannot be delivered is said in the log and
never fails a night. When there is something to tell belongs to `notices.py`.
"""

from __future__ import annotations

import json
import os
import smtplib
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from http.client import HTTPException
from urllib.parse import urlsplit

from assets.monitoring.advice import advice
from assets.study import Notify
from models.errors import MacromicroError

WEBHOOK_VARIABLE = "MACROMICRO_WEBHOOK"
PASSWORD_VARIABLE = "MACROMICRO_SMTP_PASSWORD"  # noqa: S105  # the variable's name
TIMEOUT_S = 10.0
PAUSES_S = (1.0, 4.0)  # before the second and the third attempt
BUSY = frozenset({408, 429, 500, 502, 503, 504})  # answers after which repeating helps


class NoticeError(MacromicroError):
    """`[notify]` asks for something that cannot or must not be sent."""


@dataclass(frozen=True)
class Notice:
    """Something that people should know: a title and a few lines."""

    title: str
    lines: tuple[str, ...]


def failed_run(study: str, job: str, run: str, steps: Sequence[tuple[str, str]]) -> Notice:
    """A run that failed.

    Args:
        study: its name.
        job: which job.
        run: the run's id.
        steps: for each step that failed, its name and the kind of error.
    """
    lines = [f"{step.replace('_', ' ')}: {kind}. {advice(kind)}" for step, kind in steps]
    lines = lines or ["The run ended before any of its steps failed: killed, or the machine restarted."]
    return Notice(f"{study}: {job} failed", (*lines, _where(run)))


def red_checks(study: str, job: str, run: str, checks: Sequence[tuple[str, str]]) -> Notice:
    """Checks that turned red in a run that worked.

    Args:
        study: its name.
        job: which job.
        run: the run's id.
        checks: for each, the asset and the check's name.
    """
    lines = [f"{asset}: {check.replace('_', ' ')} – no" for asset, check in checks]
    count = "a check" if len(checks) == 1 else f"{len(checks)} checks"
    return Notice(f"{study}: {count} turned red in {job}", (*lines, _where(run)))


def tell(notice: Notice, settings: Notify, environment: Mapping[str, str] | None = None) -> list[str]:
    """Send a notice to everybody who asked for it.

    Returns:
        What could not be delivered and why, in sentences without secrets; empty when all went out.
    """
    environment = os.environ if environment is None else environment
    problems = []
    webhook = environment.get(WEBHOOK_VARIABLE) or settings.webhook
    if webhook:
        problems += _tried("the webhook", lambda: post(webhook, notice))
    if settings.mail_to:
        problems += _tried("the mail", lambda: mail(settings, notice, environment.get(PASSWORD_VARIABLE)))
    return problems


def post(webhook: str, notice: Notice) -> None:
    """Post a notice as Slack-compatible JSON, repeating where the other side is busy.

    Raises:
        OSError: it was not taken.
        NoticeError: the address is no http or https one.
    """
    if urlsplit(webhook).scheme not in {"http", "https"}:
        message = "the address must begin with https:// (or http:// on this machine)"
        raise NoticeError(message)
    lines = "\n".join(f"• {_slack(line)}" for line in notice.lines)
    body = json.dumps({"text": f"*{_slack(notice.title)}*\n{lines}"}).encode()
    request = urllib.request.Request(webhook, body, {"Content-Type": "application/json"})  # noqa: S310  # checked above
    for pause in (*PAUSES_S, None):
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310  # checked above
                return
        except urllib.error.HTTPError as error:
            if pause is None or error.code not in BUSY:
                raise
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            if pause is None:
                raise
        time.sleep(pause)


def mail(settings: Notify, notice: Notice, password: str | None = None) -> None:
    """Send a notice as plain mail.

    Raises:
        OSError: the server cannot be reached or refuses (`smtplib`'s own errors are among them).
        NoticeError: a setting is missing, or a password would travel unprotected.
    """
    if not (settings.smtp_host and settings.mail_from):
        message = "[notify] names mail_to but no smtp_host or no mail_from"
        raise NoticeError(message)
    if settings.smtp_security == "none" and settings.smtp_user:
        message = "[notify] smtp_user needs smtp_security 'starttls' or 'tls': a password is never sent in clear"
        raise NoticeError(message)
    letter = EmailMessage()
    letter["Subject"], letter["From"] = notice.title, settings.mail_from
    letter["To"] = ", ".join(settings.mail_to)
    letter.set_content("\n".join(notice.lines) + "\n")
    context = ssl.create_default_context()
    with _server(settings, context) as server:
        if settings.smtp_security == "starttls":
            server.starttls(context=context)
        if settings.smtp_user:
            server.login(settings.smtp_user, password or "")
        server.send_message(letter)


def _server(settings: Notify, context: ssl.SSLContext) -> smtplib.SMTP:
    place = (settings.smtp_host, settings.smtp_port)
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(*place, timeout=TIMEOUT_S, context=context)
    return smtplib.SMTP(*place, timeout=TIMEOUT_S)


def _tried(what: str, send: Callable[[], None]) -> list[str]:
    try:
        send()
    except urllib.error.HTTPError as error:
        return [f"{what} was answered with {error.code}: the notice did not go out"]
    except NoticeError as error:
        return [f"{what} could not be sent ({error})"]
    except (OSError, ValueError, HTTPException) as error:
        # A reason may repeat the address, which is a secret: the kind of error says enough.
        return [f"{what} could not be sent ({type(error).__name__})"]
    return []


def _where(run: str) -> str:
    return f"Look at run {run[:8]} in Dagster, or at reports/latest.html in the study's home."


def _slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
