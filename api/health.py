# SPDX-License-Identifier: Apache-2.0
"""Whether the process is alive, and what can be done now."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.identity import Given, anybody
from api.reads.faults import WRONG_MASTER_KEY, standing_faults
from api.reads.people import Staff
from api.services import Services
from api.shapes_registers import HealthView, ReadyView

router = APIRouter(tags=["health"])
_Anybody = Annotated[Staff | None, Depends(anybody)]


@router.get("/healthz")
async def alive(_: _Anybody) -> HealthView:
    """Say that this process answers."""
    return HealthView()


@router.get("/readyz", responses={HTTPStatus.SERVICE_UNAVAILABLE: {"model": ReadyView}})
async def ready(response: Response, services: Given, _: _Anybody) -> ReadyView:
    """Say what can be done now; 503 where the record is away, for then nothing can."""
    record, temporal = await asyncio.gather(services.database.is_there(), services.conductor.is_there())
    if not record:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return ReadyView(
        record=record,
        temporal=temporal,
        takes_complaints=record,
        takes_actions=record and temporal,
        wrong_master_key=await _shut_out(services) if record else 0,
    )


async def _shut_out(services: Services) -> int:
    """Return how many cases of all agencies cannot be opened with this installation's master key."""
    count = 0
    for agency in await services.policies.agencies(services.clock()):
        async with services.database.of(agency.slug) as connection:
            count += await standing_faults(connection, WRONG_MASTER_KEY)
    return count
