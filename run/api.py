# SPDX-License-Identifier: Apache-2.0
"""The API and its pages: put together here, served until told to stop.

It needs the record. Temporal may be away: complaints are taken in all the same, actions answer "ask again".
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from api.actions import Actions
from api.app import create_app
from api.conductor import TemporalConductor
from api.pages.charts import CHARTS
from api.reads.answers import RecordedAnswers
from api.reads.database import Database
from api.reads.policies import Policies
from api.services import Services, SignIn, WebSettings
from run.composition import case_keys, now, secrets_of, temporal_client
from run.settings import Settings, SettingsFaults
from run.sign_in import sign_in_for

CONNECTIONS = 20
WAIT_FOR_CONNECTION_SECONDS = 5.0
RENEW_CONNECTIONS_SECONDS = 1800
GRACE_SECONDS = 10
WARM_CHARTS_AFTER_SECONDS = 5.0
BACKLOG = 512


class Server(uvicorn.Server):
    """uvicorn, told by us when to stop: the command has its own signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def run_api(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; raises SettingsFaults where the port is taken or the master key is missing."""
    listening = _listen(settings.host, settings.port)
    engine = engine_of_api(settings.api_database_url)
    try:
        with listening, sign_in_for(settings) as sign_in:
            services = await services_for(settings, engine, sign_in)
            server = Server(_config(services))
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            stopping = asyncio.create_task(stop.wait())
            warming = asyncio.create_task(_warm_charts())
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            stopping.cancel()
            warming.cancel()
            await serving
    finally:
        await CHARTS.close()
        await engine.dispose()


async def _warm_charts() -> None:
    """Start the drawing program when the rush of a start is over: nobody waits seconds for the first chart."""
    await asyncio.sleep(WARM_CHARTS_AFTER_SECONDS)
    await CHARTS.warm()


def engine_of_api(url: str) -> AsyncEngine:
    """Return the API's engine: no ping before each use, for that is a round trip on the busiest route.

    Where PostgreSQL was away meanwhile, the first to notice says "ask again", and all connections are made anew.
    """
    return create_async_engine(
        url,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=WAIT_FOR_CONNECTION_SECONDS,
        pool_recycle=RENEW_CONNECTIONS_SECONDS,
        hide_parameters=True,  # errors are logged, and what people wrote must not be
    )


async def services_for(settings: Settings, engine: AsyncEngine, sign_in: SignIn | None) -> Services:
    """Return everything the routes work with."""
    secrets = secrets_of(settings)
    client = await temporal_client(settings, case_keys(engine, secrets), lazy=True)
    database = Database(engine)
    return Services(
        database=database,
        policies=Policies(database),
        actions=Actions(
            client,
            RecordedAnswers(database),
            task_queue=settings.task_queue,
            in_flight=settings.actions_in_flight,
        ),
        conductor=TemporalConductor(client, task_queue=settings.task_queue),
        sign_in=sign_in,
        settings=WebSettings(
            public_url=settings.public_url,
            rate_limit_per_address=settings.rate_limit_per_address,
            rate_limit_in_total=settings.rate_limit_in_total,
            signs_anyone_in=settings.may_sign_anyone_in,
            temporal_ui_url=settings.temporal_ui_url,
        ),
        clock=now,
        case_keys=secrets.case_keys,
        complainant_secrets=secrets.complainant_secrets,
    )


def _config(services: Services) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(services),
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _listen(host: str, port: int) -> socket.socket:
    # asyncio switches Nagle's delay off only for sockets that say they are TCP; with it every answer takes 40 ms more.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as problem:
        listening.close()
        sentence = f"PUTRIGHT_PORT: port {port} on {host} cannot be used: {problem.strerror}. Name another one."
        raise SettingsFaults([sentence]) from problem
    listening.listen(BACKLOG)
    return listening
