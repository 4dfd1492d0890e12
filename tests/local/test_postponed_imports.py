"""What moto imports needlessly is loaded when it is used, in a process where nothing else has loaded it."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

LOADED = 'def loaded(): return "cryptography.x509.base" in sys.modules\n'


def output_of(program: str) -> list[str]:
    """The words that a Python process of its own prints."""
    text = "import sys\n" + LOADED + dedent(program)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_canary_motos_iam_imports_all_of_x509() -> None:
    assert output_of("import moto.iam.models; print(loaded())") == ["True"]


def test_motos_iam_imports_it_when_it_reads_a_certificate() -> None:
    program = """
        from stepsmith.local.moto_seam.imports import postpone
        postpone()
        import moto.iam.models as iam
        print(loaded())
        try:
            iam.x509.load_pem_x509_certificate(b"no certificate", iam.default_backend())
        except ValueError:
            print("refused")
        print(loaded())
    """
    assert output_of(program) == ["False", "refused", "True"]


def test_it_can_be_imported_in_every_way_afterwards() -> None:
    program = """
        from stepsmith.local.moto_seam.imports import postpone
        postpone()
        import cryptography.x509
        print(cryptography.x509 is sys.modules["cryptography.x509"])
        from cryptography.x509 import Certificate
        print(cryptography.x509.Certificate is Certificate)
        import cryptography.x509.oid
        print(cryptography.x509.oid.NameOID is not None)
    """
    assert output_of(program) == ["True", "True", "True"]


def test_what_is_loaded_or_not_there_is_left_alone() -> None:
    program = """
        from stepsmith.local.moto_seam.imports import postpone
        import cryptography.x509 as before
        postpone()
        print(sys.modules["cryptography.x509"] is before)
        postpone("cryptography.nothing_of_that_name")
        print("cryptography.nothing_of_that_name" in sys.modules)
    """
    assert output_of(program) == ["True", "False"]
