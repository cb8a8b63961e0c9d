"""Logs for machines and reports to Sentry: with the ids that lead to the cause, without secrets."""

import gzip
import json
import logging
import logging.config
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import brotli
import pytest
from celery import shared_task
from django.conf import settings

from issues.logs import current_request_id, scrub_report

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk_live_abcdefgh12345678"


@pytest.fixture
def json_lines(capsys):
    """What a logger of ours writes under LOG_FORMAT=json."""

    def write(*arguments, **options):
        handler = logging.StreamHandler(sys.stderr)
        configured = settings.LOGGING["formatters"]["json"]
        made = logging.config.DictConfigurator({"version": 1}).configure_formatter(dict(configured))
        handler.setFormatter(made)
        from issues.logs import ScrubFilter

        handler.addFilter(ScrubFilter())
        logger = logging.getLogger("issues.trial")
        logger.addHandler(handler)
        try:
            logger.error(*arguments, **options)
        finally:
            logger.removeHandler(handler)
        return json.loads(capsys.readouterr().err.splitlines()[0])

    return write


def test_a_line_for_machines_has_the_request(json_lines):
    token = current_request_id.set("req-12345678")
    try:
        said = json_lines("could not use %s", KEY)
    finally:
        current_request_id.reset(token)

    assert said["message"] == "could not use ***"
    assert (said["level"], said["logger"], said["request_id"], said["task_id"]) == (
        "ERROR",
        "issues.trial",
        "req-12345678",
        "-",
    )
    assert said["time"][10] == "T"


def test_a_line_for_machines_has_the_task(json_lines):
    found = {}

    @shared_task(name="trial.speaks")
    def speaks():
        found.update(json_lines("from a task"))

    speaks.apply(task_id="task-1")

    assert (found["task_id"], found["task"]) == ("task-1", "trial.speaks")


def test_a_traceback_is_in_the_line_and_scrubbed(json_lines):
    try:
        raise ValueError(f"the key {KEY} is refused")
    except ValueError:
        said = json_lines("failed", exc_info=True)

    assert "ValueError: the key *** is refused" in said["exc_info"]


def test_a_report_is_scrubbed_all_through():
    event = {
        "message": f"refused {KEY}",
        "request": {
            "url": "http://x.example/?X-Amz-Signature=abc",
            "headers": {"Cookie": "tokdash=1", "X-API-Key": "1"},
        },
        "exception": {"values": [{"value": f"password={KEY}", "stacktrace": {"frames": ({"filename": "a.py"},)}}]},
        "extra": {"api_key": "whatever", "count": 3},
    }

    said = json.dumps(scrub_report(event))

    assert KEY not in said
    assert "abc" not in said
    assert "tokdash=1" not in said
    assert "whatever" not in said
    assert json.loads(said)["extra"]["count"] == 3


class Intake(BaseHTTPRequestHandler):
    """Takes what Sentry's client sends."""

    taken: list[bytes] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        packed = self.headers.get("Content-Encoding", "")
        self.taken.append({"gzip": gzip.decompress, "br": brotli.decompress}.get(packed, bytes)(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


def test_an_error_reaches_sentry_without_variables_and_keys(tmp_path):
    server = HTTPServer(("127.0.0.1", 0), Intake)
    Thread(target=server.serve_forever, daemon=True).start()
    code = (
        "import django; django.setup(); import sentry_sdk\n"
        f"key = '{KEY}'\n"
        "try:\n    raise RuntimeError('could not use ' + key)\n"
        "except RuntimeError as error:\n    sentry_sdk.capture_exception(error)\n"
        "sentry_sdk.flush(5)\n"
    )
    environment = {
        **os.environ, "DEBUG": "1", "DJANGO_SETTINGS_MODULE": "tokdash.settings", "DATABASE_URL": f"sqlite:///{tmp_path}/x",
        "SENTRY_DSN": f"http://public@127.0.0.1:{server.server_port}/1", "SENTRY_ENVIRONMENT": "trial",
    }  # fmt: skip
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=60)
    server.shutdown()

    sent = b"".join(Intake.taken).decode()
    assert "could not use ***" in sent
    assert '"environment":"trial"' in sent.replace(" ", "")
    assert KEY not in sent
