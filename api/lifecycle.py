# SPDX-License-Identifier: Apache-2.0
"""The process itself, as the one table has it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from api.identity import open_to_all
from api.reads.people import Staff
from api.shapes_registers import LifecycleView, StateView, TransitionView
from models import lifecycle
from models.terms import State

router = APIRouter(prefix="/lifecycle", tags=["published"])


@router.get("")
async def show(_: Annotated[Staff | None, Depends(open_to_all)]) -> LifecycleView:
    """Show every state and transition: who may ask for what, from where to where, and what it does to the clocks."""
    return LifecycleView(
        states=tuple(StateView(state=s, stage=s.stage, phase=lifecycle.phase_of(s)) for s in State),
        transitions=tuple(
            TransitionView(
                action=row.action,
                sources=tuple(sorted(row.sources)),
                target=row.target,
                roles=tuple(sorted(row.roles)),
                iso_10002=row.iso_10002,
                starts=tuple(sorted(row.starts)),
                stops=tuple(sorted(row.stops)),
                pauses=tuple(sorted(row.pauses)),
                resumes=tuple(sorted(row.resumes)),
            )
            for row in lifecycle.TRANSITIONS
        ),
    )
