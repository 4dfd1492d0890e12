"""Approvals: a run asks people and waits until they have decided.

`records` says what an approval is and what a vote makes of it, `store` where approvals are kept (`dynamodb`, `local`).
`request` is the Lambda that asks and reminds, `deciding` what a vote leads to, `stepsmith_functions.api.approvals` the
Lambda behind the links. The task token lies in the store and nowhere else; links hold secrets of their own.
"""
