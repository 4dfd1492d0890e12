"""JSONata as Step Functions evaluates it: parsing with a cache, bound variables, AWS's own functions.

`expression` is the way in; `corrections` holds what jsonata-python does otherwise than JSONata 2.0.6, `functions`
what AWS adds, `analysis` what can be said of an expression without evaluating it.
"""
