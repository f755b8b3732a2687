"""The loop that one would write in Python: json and PyJWT over the first lines of a log.

Usage: pyjwt_loop.py KEYS LOG LINES. Prints what it counted and the CPU time of the loop as one line of JSON."""

import itertools
import json
import sys
import time
from pathlib import Path

import jwt

UNCHECKED = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False, "verify_iss": False}


def main(keys_folder, log, lines_max):
    keys = {}
    for path in Path(keys_folder).rglob("*.json"):
        for key in json.loads(path.read_text(encoding="utf-8"))["keys"]:
            keys[key["kid"]] = jwt.PyJWK(key, algorithm="ES256" if key["kty"] == "EC" else "RS256").key
    lines = tokens = valid = 0
    start = time.process_time()
    with open(log, encoding="utf-8") as file:
        for line in itertools.islice(file, int(lines_max)):
            lines += 1
            scheme, _, token = (json.loads(line)["headers"]["authorization"] or "").partition(" ")
            if scheme != "Bearer":
                continue
            tokens += 1
            try:
                key = keys[jwt.get_unverified_header(token)["kid"]]
                jwt.decode(token, key, algorithms=["RS256", "RS512", "ES256"], options=UNCHECKED)
                valid += 1
            except (jwt.PyJWTError, KeyError):
                pass
    seconds = time.process_time() - start
    peer = f"PyJWT {jwt.__version__}"
    print(json.dumps({"peer": peer, "lines": lines, "tokens": tokens, "valid": valid, "cpu_s": seconds}))


main(*sys.argv[1:])
