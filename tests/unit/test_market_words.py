"""What `offers` says below its table."""

from __future__ import annotations

from wrapper.cli import market
from wrapper.deployment.offering import Offered
from wrapper.offers import Offer


def offer(region: str, cpus: int) -> Offer:
    return Offer(
        instance_type="m5.large",
        region=region,
        zone=None,
        market="on-demand",
        hourly_price=0.1,
        memory_gib=8,
        cpus=cpus,
        architecture="x86_64",
        quota_vcpus=5,
        quota_code="L-1216C47A",
    )


def test_more_of_a_quota_is_what_the_largest_of_its_region_needs() -> None:
    offers = (offer("us-east-1", 8), offer("us-east-1", 16), offer("eu-west-1", 96))
    offered = Offered(
        offers=offers, found=3, types=1, regions=("us-east-1", "eu-west-1"), oldest=0, ages={}
    )
    asked = {
        line.split("--region ")[1]
        for line in market.text(offered).splitlines()
        if "request-service-quota-increase" in line
    }
    assert asked == {"us-east-1 --desired-value 16", "eu-west-1 --desired-value 96"}
