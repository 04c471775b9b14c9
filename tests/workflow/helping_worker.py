# SPDX-License-Identifier: Apache-2.0
"""A worker that writes down every letter it hands over, for tests that kill it in the middle of a list.

Started by tests as a process of its own: python -m tests.workflow.helping_worker <json of its settings>.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from sqlalchemy.ext.asyncio import create_async_engine
from temporalio.client import Client

from activities.mail import Mail
from run.codec import data_converter
from run.worker import temporal_worker
from tests.live import keys_for, work_of


class WrittenDown:
    """A mailer that appends a letter's Message-ID to a file, a line each."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    async def send(self, mail: Mail) -> None:
        """Write the letter down."""
        os.write(self._file, f"{mail.message_id}\n".encode())


async def work(settings: dict[str, str]) -> None:
    """Work until killed."""
    engine = create_async_engine(settings["database_url"], pool_size=12)
    client = await Client.connect(
        settings["temporal"], namespace=settings["namespace"], data_converter=data_converter(keys_for(engine))
    )
    mailer = WrittenDown(Path(settings["letters"]))
    async with temporal_worker(client, work_of(engine, mailer), settings["task_queue"]):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(json.loads(sys.argv[1])))
