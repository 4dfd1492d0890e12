"""What jsonata-python does otherwise than JSONata on AWS, put right in this one place.

The reference is the npm package ``jsonata`` 2.0.6, the version that AWS documents; a differential test runs both. Where
AWS itself was measured (by the author of sfnx, in 2026) to differ from the package, the measurement wins: digits of
numbers in text, remainders by zero, white space in regular expressions, Base64 and URL decoding.

`operators` holds the evaluator, `functions` the function library, `text` how values become text, `regex` the regular
expressions.
"""

from stepsmith.engine.query.corrections.functions import corrected_functions
from stepsmith.engine.query.corrections.operators import CorrectedJsonata
from stepsmith.engine.query.corrections.regex import compile_regex

__all__ = ["CorrectedJsonata", "compile_regex", "corrected_functions"]
