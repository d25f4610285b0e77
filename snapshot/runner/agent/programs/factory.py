"""The engines that are programs of their own, by name."""

from pathlib import Path

from ...configuration import AgentChoice, ModelAccess
from .. import limits
from ..engine import EngineContext
from ..prices import Prices
from .claude_code import ClaudeCode
from .codex import Codex
from .opencode import Opencode
from .program import Program
from .program_engine import ProgramEngine


def make_program_engine(
    choice: AgentChoice, model: ModelAccess, context: EngineContext
) -> ProgramEngine:
    """Raises `cost_unbounded`."""
    prices = Prices(model)
    limits.check_bound(choice, is_priced=prices.is_known)
    program = _program(choice, model, prices, Path(context.environ["HOME"]))
    return ProgramEngine(program, choice, context, is_priced=prices.is_known)


def _program(choice: AgentChoice, model: ModelAccess, prices: Prices, home: Path) -> Program:
    if choice.engine == "claude-code":
        return ClaudeCode(choice, model, prices)
    if choice.engine == "codex":
        return Codex(choice, model, prices, home)
    return Opencode(choice, model, prices)
