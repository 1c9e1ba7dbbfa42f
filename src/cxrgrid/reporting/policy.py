"""A page's content security policy: what a browser may load and run for it."""

import base64
import hashlib
import re

SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
CHARSET = '<meta charset="utf-8">'


def secured(html: str) -> str:
    """The page with a policy in its head: nothing from elsewhere, no script but its own.

    Scripts are named by their SHA-256, so that a changed or an added one, or a handler in an
    attribute, does not run. Styles stay open: figures of matplotlib have them in their attributes.
    """
    found = [hashlib.sha256(text.encode()).digest() for text in SCRIPT.findall(html)]
    own = " ".join(f"'sha256-{base64.b64encode(each).decode()}'" for each in found)
    rules = ["default-src 'none'", "img-src data:", "style-src 'unsafe-inline'"]
    rules += [f"script-src {own}" if own else "script-src 'none'"]
    rules += ["base-uri 'none'", "form-action 'none'"]
    meta = f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(rules)}">'
    return html.replace(CHARSET, f"{CHARSET}\n{meta}", 1)
