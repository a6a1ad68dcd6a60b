from collections.abc import Iterator
from email import message_from_string
from pathlib import Path

import dagster as dg
import pytest

from assets.study import Notify, Study
from pipeline import notify
from pipeline.notices import after_run, notice_of
from pipeline.notify import PASSWORD_VARIABLE, WEBHOOK_VARIABLE, Notice, failed_run, red_checks, tell
from tests.pipeline.servers import Inbox, letters, webhooks

NOTICE = Notice("study: nightly failed", ("physiology: LakeError.", "Look <there> & here."))
SECRET = "PARTICIPANT-P007 felt gloomy and worried"  # what an error's own message might hold  # noqa: S105


@pytest.fixture
def hook() -> Iterator[Inbox]:
    with webhooks() as inbox:
        yield inbox


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "PAUSES_S", (0.0, 0.0))
    monkeypatch.delenv(WEBHOOK_VARIABLE, raising=False)


def address(inbox: Inbox) -> str:
    return f"http://127.0.0.1:{inbox.port}/services/T0/B0/secret"


def mailed(inbox: Inbox, **more: object) -> Notify:
    plain = {"smtp_security": "none", "smtp_host": "localhost", "smtp_port": inbox.port}
    return Notify.model_validate({"mail_to": ["a@x.org", "b@x.org"], "mail_from": "m@x.org", **plain, **more})


def test_a_webhook_gets_what_slack_reads(hook: Inbox) -> None:
    assert tell(NOTICE, Notify(webhook=address(hook)), {}) == []
    [post] = hook.posts
    assert post["type"] == "application/json"
    assert post["text"] == ("*study: nightly failed*\n• physiology: LakeError.\n• Look &lt;there&gt; &amp; here.")


def test_the_environments_address_comes_before_the_files(hook: Inbox) -> None:
    assert tell(NOTICE, Notify(webhook="http://127.0.0.1:1/"), {WEBHOOK_VARIABLE: address(hook)}) == []
    assert len(hook.posts) == 1


def test_a_busy_server_is_asked_again_and_a_refusing_one_is_not(hook: Inbox) -> None:
    hook.answers = [503, 429]
    assert tell(NOTICE, Notify(webhook=address(hook)), {}) == []
    assert len(hook.posts) == 1
    hook.answers = [404, 200]
    assert tell(NOTICE, Notify(webhook=address(hook)), {}) == [
        "the webhook was answered with 404: the notice did not go out"
    ]
    assert len(hook.posts) == 1


def test_a_notice_that_cannot_go_out_is_said_without_the_secret_address() -> None:
    [said] = tell(NOTICE, Notify(webhook="http://127.0.0.1:1/services/secret"), {})
    assert "could not be sent" in said
    assert "secret" not in said
    [said] = tell(NOTICE, Notify(webhook="file:///etc/passwd"), {})
    assert "must begin with https://" in said


def test_mail_reaches_everybody_named(tmp_path: Path) -> None:
    with letters(tmp_path) as inbox:
        assert tell(NOTICE, mailed(inbox), {}) == []
    [letter] = [message_from_string(text) for text in inbox.letters]
    assert (letter["Subject"], letter["To"]) == ("study: nightly failed", "a@x.org, b@x.org")
    assert letter.get_payload().split() == ["physiology:", "LakeError.", "Look", "<there>", "&", "here."]


def test_a_password_travels_only_after_starttls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with letters(tmp_path, protected=True) as inbox:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        settings = mailed(inbox, smtp_security="starttls", smtp_user="m")
        assert tell(NOTICE, settings, {PASSWORD_VARIABLE: "pw"}) == []
        verbs = [c.split()[0].upper() for c in inbox.commands]
        assert verbs.index("STARTTLS") < verbs.index("AUTH")
        assert len(inbox.letters) == 1
        [said] = tell(NOTICE, mailed(inbox, smtp_user="m"), {PASSWORD_VARIABLE: "pw"})
        assert "never sent in clear" in said


def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    with letters(tmp_path, protected=True) as inbox:
        assert tell(NOTICE, mailed(inbox, smtp_security="starttls"), {}) == [
            "the mail could not be sent (SSLCertVerificationError)"
        ]
    assert inbox.letters == []


def test_a_server_without_starttls_gets_nothing(tmp_path: Path) -> None:
    with letters(tmp_path) as inbox:
        [said] = tell(NOTICE, mailed(inbox, smtp_security="starttls"), {})
    assert "could not be sent" in said
    assert inbox.letters == []


def test_a_notice_says_what_failed_and_what_to_do() -> None:
    notice = failed_run("demo", "nightly", "0123456789", [("voice", "BrokenProcessPool")])
    assert notice.title == "demo: nightly failed"
    assert "MACROMICRO_WORKERS=1" in notice.lines[0]
    assert "run 01234567 in Dagster" in notice.lines[-1]
    assert "killed" in failed_run("demo", "nightly", "0123456789", []).lines[0]
    assert (
        red_checks("demo", "report", "0", [("drift", "nothing_drifted")]).title == "demo: a check turned red in report"
    )


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def run(
    instance: dg.DagsterInstance, *, fail: bool = False, passed: bool = True, new: int | None = None
) -> dg.DagsterRun:
    @dg.asset(check_specs=[dg.AssetCheckSpec("steady", asset="drift")])
    def drift() -> dg.MaterializeResult:
        if fail:
            raise ValueError(SECRET)
        facts = {} if new is None else {"new": new}
        found = dg.AssetCheckResult(check_name="steady", passed=passed, description=SECRET, metadata=facts)
        return dg.MaterializeResult(check_results=[found])

    job = dg.Definitions(assets=[drift], jobs=[dg.define_asset_job("nightly", "*")]).resolve_job_def("nightly")
    return instance.get_run_by_id(job.execute_in_process(instance=instance, raise_on_error=False).run_id)


def test_a_failed_run_is_told_without_a_word_of_the_errors_message(
    instance: dg.DagsterInstance, study: Study, hook: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEBHOOK_VARIABLE, address(hook))
    assert after_run(instance, run(instance, fail=True), study) == []
    [post] = hook.posts
    assert "drift: ValueError." in post["text"]
    assert told_of(SECRET, post["text"]) == []


def test_a_red_check_is_told_without_a_word_of_what_it_found(
    instance: dg.DagsterInstance, study: Study, hook: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEBHOOK_VARIABLE, address(hook))
    assert after_run(instance, run(instance, passed=False), study) == []
    [post] = hook.posts
    assert post["text"].startswith("*study: a check turned red in nightly*\n• drift: steady – no\n")
    assert told_of(SECRET, post["text"]) == []


@pytest.mark.parametrize("fault", [{"fail": True}, {"passed": False}])
def test_a_mail_holds_no_word_of_it_either(
    instance: dg.DagsterInstance, study: Study, tmp_path: Path, fault: dict[str, bool]
) -> None:
    with letters(tmp_path) as inbox:
        mailing = study.model_copy(update={"notify": mailed(inbox)})
        assert after_run(instance, run(instance, **fault), mailing) == []
    [letter] = inbox.letters
    assert "drift" in letter
    assert told_of(SECRET, letter) == []


def told_of(secret: str, text: str) -> list[str]:
    """Words of an error's or a check's own message that stand in a notice."""
    return [word for word in secret.split() if word not in {"and", "felt"} and word in text]


def test_a_check_is_told_when_it_turns_red_and_not_while_it_stays_red(
    instance: dg.DagsterInstance, study: Study
) -> None:
    nights = [True, False, False, True, False]
    told = [notice_of(instance, run(instance, passed=passed), study) for passed in nights]
    assert [n is not None for n in told] == [False, True, False, False, True]
    assert told[1].lines[0] == "drift: steady – no"


def test_a_check_that_stays_red_is_told_when_something_is_new(instance: dg.DagsterInstance, study: Study) -> None:
    told = [notice_of(instance, run(instance, passed=False, new=new), study) for new in (1, 0, 1)]
    assert [n is not None for n in told] == [True, False, True]


def test_checks_are_not_told_to_people_who_want_only_failures(instance: dg.DagsterInstance, study: Study) -> None:
    quiet = study.model_copy(update={"notify": Notify(checks=False)})
    assert notice_of(instance, run(instance, passed=False), quiet) is None
    assert notice_of(instance, run(instance, fail=True), quiet) is not None
