"""`offers` run as a user runs it, which then tells what it took: calls, seconds, memory.

python -m bench.asked SIDE_BY_SIDE offers ...
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

from botocore.endpoint import Endpoint

from wrapper import cli
from wrapper.deployment import offering

CALLS: list[str] = []


def main() -> None:
    """The last line on standard error is a JSON document."""
    offering.SIDE_BY_SIDE = int(sys.argv[1])
    sent = Endpoint.make_request

    def counted(self: Endpoint, operation_model: Any, request_dict: Any) -> Any:
        CALLS.append(operation_model.name)
        return sent(self, operation_model, request_dict)

    Endpoint.make_request = counted  # type: ignore[method-assign] # the SDK has no other place for it
    begun = time.perf_counter()
    code = cli.main(sys.argv[2:])
    took = {
        "calls": len(CALLS),
        "seconds": time.perf_counter() - begun,
        # Linux counts in KiB.
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(took), file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
