"""The EC2 API of the embedded EC2: moto's server, extended where it falls short of AWS.

app        WSGI: which services there are, one request at a time
actions    what differs in reading requests and writing answers
backend    what differs in carrying them out; one per account and region
room       what the regions share
launch     what RunInstances and RequestSpotInstances refuse, and the disks that they make
lifecycle  instances follow their machines, machines follow the network
network    addresses of 198.18.0.0/15, interfaces, security groups as rules
spot       requests through their documented statuses, machines that come back; spot_request, one
           of them
storage    requests about volumes and snapshots
volumes    volumes; modifications, growing them; volume_types, what each type may be asked for
attaching  volumes on their way in and out; attachments, what may be attached and detached
snapshots  copies of volumes
schedules  EventBridge Scheduler, and what it carries out
console    GetConsoleOutput
images     the catalogue of images
capacity   what there is left of it, and quotas
prices     spot prices, and their history
interruptions  their notices and their ends
fis        the Fault Injection Service's API; experiments, what it starts
budgets    AWS Budgets, and the tags that costs are told by
cloudtrail  LookupEvents: what was asked of EC2, and what it did itself
descriptions  the SDK's, which moto reads again and again
control    capacity, prices, quotas and time as the owner of the embedded EC2 decides them
clock      the time that all of this goes by
checks     what they gave, as it is meant
buckets    S3 for the machines' programs; policy, what a bucket's or a role's says
roles      instance profiles, and what their roles may do
ids        what a malformed id is
imaginary  machines where none are booted: states without anything behind them
"""

import wrapper.local.api.descriptions  # noqa: F401 (before moto reads them)
from wrapper.local.api.app import create_app

__all__ = ["create_app"]
