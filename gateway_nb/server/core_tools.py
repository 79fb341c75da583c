"""The tools of the embedded gateway's own: ``exec``, which asks and runs nothing, and ``ask_user``."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass
from typing import Any

from .approvals import ApprovalQueue
from .params import Params, array, boolean, string, text
from .questions import QuestionQueue
from .state.approvals import ALLOW_ALWAYS, EXEC, NO_ROUTE
from .state.questions import TIMEOUT_MS
from .state.results import ToolResult, text_result
from .state.sessions import Sessions, agent_of
from .tools import Caller, CoreTool

GUARDED = "guarded"
"""The permission mode of sessions in which ``exec`` asks."""
_APPROVAL_MS = 1_800_000
_OPTION = Params({"label": text}, ("label",), open=True)
_QUESTION = Params(
    {"id": text, "header": string, "question": text, "options": array(_OPTION), "multiSelect": boolean},
    ("id", "header", "question", "options"),
    open=True,
)
_ASK_USER = Params({"questions": array(_QUESTION, 1, 3)}, ("questions",), open=True)


@dataclass
class CoreTools:
    """The tools."""

    _sessions: Sessions  # which of them are guarded
    _approvals: ApprovalQueue
    _questions: QuestionQueue

    def all(self) -> list[CoreTool]:
        """Return them."""
        return [
            CoreTool("exec", "Ask for approval where the session is guarded; the command is not run.", self._exec),
            CoreTool("ask_user", "Ask the user questions and wait for the answers.", self._ask_user),
        ]

    async def _exec(self, args: dict[str, Any], caller: Caller) -> ToolResult:
        command = args.get("command")
        if not isinstance(command, str) or not command:
            return text_result("exec needs a command", is_error=True)
        if self._sessions.get(caller.session, {}).get("permissionMode") == GUARDED:
            given: dict[str, Any] = {"command": command, "host": "gateway", "security": "allowlist", "ask": "on-miss"}
            given |= {"unavailableDecisions": [ALLOW_ALWAYS], **_asker(caller), "toolCallId": caller.key}
            approval = self._approvals.ask(EXEC, given, _APPROVAL_MS)
            try:
                decision = await self._approvals.decided(approval)
            except asyncio.CancelledError:
                self._approvals.cancel(approval)
                raise
            if approval.reason == NO_ROUTE:
                return text_result("exec denied: no client that decides approvals is connected", is_error=True)
            if decision is None or approval.status != "allowed":
                why = "user-denied" if approval.reason == "user" else f"approval-{approval.reason}"
                return text_result(f"Exec denied (gateway id={approval.id}, {why}): {command}")
        return text_result(f"the embedded gateway runs no commands: {command}")

    async def _ask_user(self, args: dict[str, Any], caller: Caller) -> ToolResult:
        if faults := "; ".join(_ASK_USER(args, "")):
            return text_result(f"ask_user: {faults}", is_error=True)
        questions = [
            {
                "questionId": question["id"],
                "header": question["header"],
                "question": question["question"],
                "options": [{"label": option["label"]} for option in question["options"]],
                **({"multiSelect": True} if question.get("multiSelect") else {}),
                "isOther": True,
            }
            for question in args["questions"]
        ]
        given = {"id": f"ask_{uuid.uuid4().hex}", "questions": questions, **_asker(caller)}
        record = self._questions.ask(given, TIMEOUT_MS)
        try:
            await self._questions.ended(record)
        except asyncio.CancelledError:
            if record["status"] == "pending":
                self._questions.cancel(record, resolvedBy="requester-inactive")
            raise
        outcome = {name: record[name] for name in ("status", "answers") if name in record}
        answers = record.get("answers", {}).get("answers", {})
        lines = [f"{each['header']}: {', '.join(answers.get(each['questionId'], []))}" for each in questions]
        return text_result("\n".join([*lines, "", json.dumps(outcome, indent=2)] if answers else [json.dumps(outcome)]))


def _asker(caller: Caller) -> dict[str, Any]:
    about = {"agentId": agent_of(caller.session), "sessionKey": caller.session}
    return about | ({"runId": caller.run_id} if caller.run_id else {})
