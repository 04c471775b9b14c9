# SPDX-License-Identifier: Apache-2.0
"""Small programs in the places of migrations, worker and API, under the product's own supervisor.

`python -m tests.run.stand_ins` supervises them; the settings come from the environment, as for the product.
"""

import http.server
import json
import os
import sys
import time
from pathlib import Path

import psycopg

from run import supervisor
from run.embedded.accounts import NoAccount
from run.embedded.processes import CannotStart
from run.embedded.temporal import is_listening
from run.settings import Settings, SettingsFaults, libpq_url
from run.supervisor import Commands, supervise


def main(part: str = "") -> int:
    settings = Settings.load(["database_url"])
    parts = {"migrate": migrate, "worker": worker, "api": api, "broken": broken, "": supervised}
    return parts[part](settings)


def migrate(settings: Settings) -> int:
    with psycopg.connect(libpq_url(settings.database_url), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS start (number int GENERATED ALWAYS AS IDENTITY)")
        connection.execute("INSERT INTO start DEFAULT VALUES")
        row = connection.execute("SELECT max(number) FROM start").fetchone()
    sys.stdout.write(f"start number {row[0] if row else 0}\n")
    return 0


def worker(settings: Settings) -> int:
    (settings.home / "worker.pid").write_text(str(os.getpid()), "utf-8")
    while True:
        time.sleep(60)


def api(settings: Settings) -> int:
    class Ready(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host, _, port = settings.temporal_address.rpartition(":")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"temporal": is_listening(int(port), host)}).encode())

    http.server.HTTPServer((settings.host, settings.port), Ready).serve_forever()
    return 0


def broken(_settings: Settings) -> int:
    sys.stderr.write("the horse has no shoes\n")
    return 3


def supervised(settings: Settings) -> int:
    def command(part: str) -> list[str]:
        return [sys.executable, "-m", "tests.run.stand_ins", part]

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    # A fifth of the product's patience: the same steps, sooner.
    for patience in ("TEMPORAL_WITHIN_SECONDS", "LOOK_FOR_TEMPORAL_EVERY_SECONDS", "TELL_EVERY_SECONDS"):
        setattr(supervisor, patience, getattr(supervisor, patience) / 5)
    broken_api = Path(settings.home / "break-the-api").exists()
    commands = Commands(
        preparations=[("counting this start", command("migrate"))],
        worker=command("worker"),
        api=command("broken" if broken_api else "api"),
    )
    try:
        supervise(settings, say=say, accounts=lambda: ["caseworker: casey"], commands=commands)
    except (CannotStart, NoAccount, SettingsFaults) as problem:
        say(str(problem))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
