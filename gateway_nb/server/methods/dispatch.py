"""All methods of the embedded gateway in one table, and who may call them."""

from __future__ import annotations

from ...protocol.frames import RequestFrame
from ..admission import Admission
from ..answers import LATER, Refusal, fault
from ..approvals import ApprovalQueue
from ..calls import NodeCalls
from ..conversations import Conversations
from ..core_tools import CoreTools
from ..peer import Peer
from ..peers import Peers
from ..questions import QuestionQueue
from ..runs import Runs
from ..spawning import Tasks
from ..state.cron import Cron
from ..state.logs import Log
from ..state.records import Records
from ..tools import Tools
from .agents import Agents
from .approvals import ApprovalMethods
from .cron import CronMethods
from .method import Call, Domain, Table
from .nodes import NodeMethods
from .pairing import Pairing
from .questions import QuestionMethods
from .records import RecordMethods
from .sessions import SessionMethods
from .system import System
from .talk import Talk
from .tools import ToolMethods
from .transcripts import TranscriptMethods
from .usage import UsageMethods

EVENTS = (
    "connect.challenge",
    "agent",
    "chat",
    "session.message",
    "sessions.changed",
    "presence",
    "tick",
    "talk.mode",
    "shutdown",
    "health",
    "task",
    "cron",
    "device.pair.resolved",
    "node.pair.requested",
    "node.pair.resolved",
    "node.invoke.request",
    "node.invoke.cancel",
    "exec.approval.requested",
    "exec.approval.resolved",
    "plugin.approval.requested",
    "plugin.approval.resolved",
    "session.approval",
    "question.requested",
    "question.resolved",
)
_UNADVERTISED = {"sessions.usage", "sessions.get", "sessions.resolve"}
"""What can be called and is not in the list, as in the real gateway."""


class Methods:
    """The methods, and the state they work on.

    Attributes:
        agents: the agents' runs.
        nodes: the nodes, and what they are asked.
    """

    def __init__(self, peers: Peers, admission: Admission) -> None:
        self._tasks, self._log = Tasks(), Log()
        self.nodes = NodeCalls(peers, admission)
        self._approval_queue, self._question_queue = ApprovalQueue(peers), QuestionQueue(peers)
        conversations = Conversations(peers)
        core_tools = CoreTools(conversations.sessions, self._approval_queue, self._question_queue)
        tools = Tools(self.nodes, core_tools.all())
        records = Records()
        self.agents = Runs(peers, conversations, tools, records)
        domains: tuple[Domain, ...] = (
            System(conversations.sessions),
            SessionMethods(conversations, self._approval_queue.approvals),
            Talk(peers),
            Agents(self.agents),
            TranscriptMethods(conversations, self.agents),
            UsageMethods(conversations),
            RecordMethods(records, self._log),
            CronMethods(peers, self.agents, Cron(), self._tasks),
            ToolMethods(tools, conversations.sessions, self._tasks),
            NodeMethods(self.nodes),
            ApprovalMethods(self._approval_queue),
            QuestionMethods(self._question_queue),
            Pairing(peers, admission),
        )
        self._table: Table = {name: method for domain in domains for name, method in domain.table().items()}

    @property
    def names(self) -> set[str]:
        """The advertised methods."""
        return set(self._table) - _UNADVERTISED

    def call(self, peer: Peer, request: RequestFrame) -> None:
        """Answer one request, now or later.

        Raises:
            Refusal: the answer is no.
        """
        try:
            self._call(peer, request)
        except Refusal as refusal:
            self._log.add(request.method, refusal.code)
            raise
        self._log.add(request.method, None)

    def _call(self, peer: Peer, request: RequestFrame) -> None:
        method = self._table.get(request.method)
        if method is None:
            first = "connect is only valid as the first request"
            raise fault(first if request.method == "connect" else f"unknown method: {request.method}")
        if method.role not in (None, peer.role):
            raise fault(f"unauthorized role: {peer.role}")
        if not peer.allows(method.scope):
            details = {"code": "MISSING_SCOPE", "missingScope": method.scope, "requiredScopes": [method.scope]}
            raise Refusal("FORBIDDEN", f"missing scope: {method.scope}", details)
        answer = method.answer(Call(peer, request.id, method.check(request.method, request.params)))
        if answer is not LATER:
            peer.answer(request.id, answer)

    def stop(self) -> None:
        """End what still runs."""
        self.agents.stop()
        self._approval_queue.stop()
        self._question_queue.stop()
        self._tasks.cancel()
