"""Post what comes on standard input to a web address, signed. The program of a webhook.

    post.py URL ID [NAME-OF-THE-VARIABLE-WITH-THE-KEY]

Standard library only. It follows no redirection, because the signature is meant for this address
alone. The exit code is 0 if the server answers with 2xx; otherwise 1, and the reason is printed.
"""

import hashlib
import hmac
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from typing import Any


class _Stays(urllib.request.HTTPRedirectHandler):
    """Follow no redirection: it becomes an error."""

    def redirect_request(self, *_: Any) -> None:
        return None


def signature(key: bytes, at: str, body: bytes) -> str:
    """Return the HMAC-SHA256, in hex, of the timestamp, a dot and the body."""
    return hmac.new(key, at.encode() + b"." + body, hashlib.sha256).hexdigest()


def main(words: list[str]) -> int:
    """Send one notice. Return the exit code."""
    url, id, *secret = words
    body, at = sys.stdin.buffer.read(), str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "callboard",
        "Callboard-Notice": id,
        "Callboard-Timestamp": at,
    }
    if secret:
        key = os.environ.get(secret[0], "").encode()
        headers["Callboard-Signature"] = f"sha256={signature(key, at, body)}"
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with urllib.request.build_opener(_Stays).open(request) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        print(f"{url} answers {error.code} {error.reason}")
        return 1
    except http.client.HTTPException as error:
        print(f"{url} does not answer as a web server does: {error or type(error).__name__}")
        return 1
    except (OSError, ValueError) as error:
        print(f"{url} cannot be reached: {getattr(error, 'reason', error)}")
        return 1
    if not 200 <= status < 300:
        print(f"{url} answers {status}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
