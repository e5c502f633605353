"""Entries of the audit trail, and who acts."""

import functools
import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from typing import Any

from runner.base.text import sanitized

# Variables that name the person behind a command: our own, then those of GitHub, GitLab, Buildkite, CircleCI, Azure
# Pipelines, Bitbucket and Jenkins (build user plugin). Bitbucket has only the person's UUID.
_ACTOR_VARIABLES = (
    "CAMPAIGN_ACTOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILDKITE_BUILD_CREATOR", "CIRCLE_USERNAME",
    "BUILD_REQUESTEDFOR", "BITBUCKET_STEP_TRIGGERER_UUID", "BUILD_USER_ID",
)  # fmt: skip
_LENGTH = 80


class AuditAction(StrEnum):
    """What was done."""

    PLANNED = "planned"
    APPROVED = "approved"
    STARTED = "started"
    STOPPED = "stopped"
    FINISHED = "finished"
    OVERRODE = "overrode"  # an option such as --accept-changes let something through
    RECONCILED = "reconciled"
    CANCELLED = "cancelled"
    PURGED = "purged"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    REPLY_DISMISSED = "reply_dismissed"  # a reply that might have been an opt-out is none
    LEDGER_MADE = "ledger_made"
    LEDGER_REBUILT = "ledger_rebuilt"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, on which machine, with which version of this program."""

    name: str
    machine: str
    version: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An entry to append. `run` is NAME/RUN, or None if the entry is about the whole ledger.

    `detail` must not identify a person; `destination` is the number (E.164) that the entry is about, if there is one.
    """

    action: AuditAction
    run: str | None = None
    detail: Mapping[str, Any] | None = None
    destination: str | None = None


def current_actor() -> Actor:
    """Who runs this process: `CAMPAIGN_ACTOR`, else the person that the CI system names, else the system's user."""
    named = next(filter(None, map(os.environ.get, _ACTOR_VARIABLES)), None)
    return Actor(sanitized(named or _user())[:_LENGTH], socket.gethostname()[:_LENGTH], _version())


@functools.cache
def _version() -> str:
    return version("campaign-runner")  # reads a file: a run appends several entries


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in many containers
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"
