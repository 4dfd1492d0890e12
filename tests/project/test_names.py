"""What the compiler writes and the functions read is spelled alike: neither may import the other."""

from stepsmith.asl import names
from stepsmith.lowering import failing
from stepsmith.model import steps
from stepsmith_functions.history import executions, records, told


def test_machines_undos_and_states_have_one_name() -> None:
    assert executions.ROLLBACK_SUFFIX == names.ROLLBACK_SUFFIX
    assert executions.RESUME_SUFFIX == names.RESUME_SUFFIX
    assert records.UNDO == steps.UNDO
    assert told.ROLLBACK == failing.ROLLBACK
