"""A reference interpreter of the workflow language: what docs/language.md and docs/running.md say, as directly as it
can be written.

It walks the steps that the reader made and evaluates expressions with Jinja2. It shares nothing with analysis, lowering
or the engine, so that agreement with them means something. `run` is a whole run, `blocks` the steps that hold others,
`calling` those that call something, `evaluating` the expressions, `state` what is known while it goes on.
"""

from tests.semantics.attempts import Answer
from tests.semantics.reference.calling import STARTED
from tests.semantics.reference.run import Interpreter
from tests.semantics.reference.state import SECOND, Call, Outcome

__all__ = ["SECOND", "STARTED", "Answer", "Call", "Interpreter", "Outcome"]
