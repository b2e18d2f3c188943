"""Validates the OpenAPI document of a running node with the Python package `openapi-spec-validator`.

    python3 validate_openapi.py http://127.0.0.1:PORT/openapi.json

Prints `ok: ` and the number of operations; fails with the error otherwise. Where the package is not installed it
prints SKIPPED and exits 0.
"""

import json
import sys
import urllib.request

try:
    from openapi_spec_validator import OpenAPIV31SpecValidator
except ImportError:
    print("SKIPPED: the Python package 'openapi-spec-validator' is not installed here")
    sys.exit(0)


def main():
    # Without a proxy from the environment: the node is on loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(sys.argv[1], timeout=60) as response:
        document = json.load(response)
    OpenAPIV31SpecValidator(document).validate()
    operations = sum(len(path) for path in document["paths"].values())
    print(f"ok: {operations} operations, OpenAPI {document['openapi']}")


if __name__ == "__main__":
    main()
