"""The pages behind the links of approvals: plain HTML, no script, nothing from elsewhere, everything escaped."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Final

from stepsmith_functions.approvals.records import Approval, Link

LONGEST_COMMENT: Final = 2_000

_STYLE: Final = """
body{margin:0;background:#eef1f7;color:#1c2540;font:16px/1.5 system-ui,sans-serif}
main{max-width:36rem;margin:3rem auto;padding:2rem;background:#fff;border:1px solid #cfd8e6;border-radius:10px}
h1{margin:0 0 1rem;font-size:1.35rem}
.question{padding:1rem;background:#f4f7fc;border-left:4px solid #4f6bed;white-space:pre-wrap;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:auto 1fr;gap:.2rem 1rem;color:#4a5672;font-size:.9rem}
dd{margin:0;overflow-wrap:anywhere}
label{display:block;margin:1.2rem 0 .3rem}
textarea{width:100%;box-sizing:border-box;min-height:5rem;padding:.6rem;font:inherit;
border:1px solid #b8c4dc;border-radius:6px}
button{margin-top:1rem;padding:.6rem 1.6rem;font:inherit;font-weight:600;
color:#fff;border:0;border-radius:6px;cursor:pointer}
.approve{background:#15803d}.reject{background:#b91c1c}
""".strip()

HEADERS: Final[Mapping[str, str]] = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
}


def question_page(approval: Approval, link: Link) -> str:
    """What is asked, with a form for the one decision that the link is for."""
    verb = "Approve" if link.approves else "Reject"
    need = f"{approval.quorum} of {len(approval.approvers)} must approve" if approval.quorum > 1 else ""
    facts = {
        "Workflow": approval.workflow,
        "Run": approval.run_id,
        "Step": approval.path,
        "You decide as": approval.names[link.approver],
        "Until": approval.deadline.strftime("%Y-%m-%d %H:%M UTC"),
        **({"Quorum": need} if need else {}),
    }
    comment = "Why? (the run's history keeps it)" if not link.approves else "A comment, if you like"
    return _page(
        f"{verb}?",
        f'<p class="question">{_text(approval.message)}</p>{_facts(facts)}'
        f'<form method="post"><label for="comment">{comment}</label>'
        f'<textarea id="comment" name="comment" maxlength="{LONGEST_COMMENT}"></textarea>'
        f'<button class="{verb.lower()}">{verb}</button></form>',
    )


def done_page(approval: Approval, link: Link) -> str:
    """What has become of it."""
    said = "approved" if link.approves else "rejected"
    more = approval.quorum - sum(vote.approves for vote in approval.votes)
    waits = approval.status == "waiting"
    rest = f" {more} more must approve before the run goes on." if waits else " The run goes on."
    return _page(f"You have {said}.", f'<p class="question">{_text(approval.message)}</p><p>{_text(rest.strip())}</p>')


def note_page(title: str, text: str) -> str:
    return _page(title, f"<p>{_text(text)}</p>")


def _facts(facts: Mapping[str, str]) -> str:
    return f"<dl>{''.join(f'<dt>{_text(key)}</dt><dd>{_text(value)}</dd>' for key, value in facts.items())}</dl>"


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{_text(title)}</h1>{body}</main></body></html>"
    )


def _text(text: str) -> str:
    return html.escape(text, quote=True)
