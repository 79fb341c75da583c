"""``%%agent``: a run of an agent, as its cell shows it and ``-o`` keeps it."""

from __future__ import annotations

from ...faces.gateway import Gateway
from ..magics.body import Body
from ..magics.grammar import Call, Prompt
from .call import Running


class AgentRunning(Running):
    """An agent's run that a cell started.

    Args:
        gateway: a connection.
        prompt: the parsed cell.
        message: its prompt, bound.

    Attributes:
        run: the run's id, as it is in every frame.
        session: the session's key.

    Raises:
        GatewayError: the connection does not offer one of the prompt's tools.
    """

    def __init__(self, gateway: Gateway, prompt: Prompt, message: str) -> None:
        self.session = prompt.session or f"agent:{prompt.agent}:main"
        body = Body(text=prompt.text)
        call = Call("agent", body, output=prompt.output, final=True, background=prompt.background)
        params = {"message": message, "agentId": prompt.agent, "sessionKey": self.session}
        super().__init__(gateway, call, params, prompt.timeout)
        assert self.view is not None, "a run that is followed has a view"
        self.run = self.view.run_id
        if prompt.tools is not None:
            gateway.tools.restrict(self.run, prompt.tools)

    @property
    def text(self) -> str:
        """The answer, or what there is of it so far."""
        return "" if self.view is None else self.view.text
