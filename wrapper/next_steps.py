"""What to type for a machine that does not run. Pure, and the one place that words it.

StartInstances is for a machine that its owner stopped; one that EC2 took back EC2 alone starts:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/stop-start-spot.html
"""

from __future__ import annotations


def of(name: str, state: str, *, taken: bool = False) -> str:
    """The next command, by EC2's state of the machine or "absent"; empty for one that runs.

    `taken`: EC2 has stopped it, and alone can start it.
    """
    if state == "running":
        return ""
    if taken and state in ("stopping", "stopped"):
        return (
            f"Wait for it: python -m wrapper up {name} --watch. Or move it: "
            f"python -m wrapper up {name} --fallback zone,on-demand"
        )
    if state in ("stopping", "stopped"):
        return f"python -m wrapper start {name}"
    if state in ("shutting-down", "terminated"):
        return f"python -m wrapper up {name}: another machine, with the data"
    return f"python -m wrapper up {name}"
