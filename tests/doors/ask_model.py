"""What an agent of a test runs to ask its model: `ask_model.py OUT [BODY [PATH]]`.

It reads its address and its token from the variables that its profile sets, and tries again while
the server cannot be reached or says so, as real CLIs do. `OUT` gets the status and the answer.
"""

import http.client
import os
import sys
import time
import urllib.parse
from pathlib import Path

MESSAGE = '{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'


def asked(path: str, body: str) -> tuple[int, str]:
    """Post once. Raises `OSError` or `HTTPException` where no whole answer comes."""
    at = urllib.parse.urlsplit(os.environ["MODEL_URL"])
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=60)
    headers = {"x-api-key": os.environ["MODEL_KEY"], "content-type": "application/json"}
    connection.request("POST", at.path + path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def main(out: str, body: str = MESSAGE, path: str = "/v1/messages") -> None:
    """Ask until there is an answer, for a minute at most."""
    status, text = 0, "no answer"
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            status, text = asked(path, body)
        except (OSError, http.client.HTTPException) as error:
            status, text = 0, repr(error)
        if status not in (0, 502, 503):
            break
        time.sleep(0.1)
    Path(out).write_text(f"{status} {text}")


if __name__ == "__main__":
    main(*sys.argv[1:])
