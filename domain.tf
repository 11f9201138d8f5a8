# The domain's record, where its zone is one of Route 53's.

data "aws_route53_zone" "this" {
  count = var.zone_id == null ? 0 : 1

  zone_id = var.zone_id

  lifecycle {
    postcondition {
      condition     = var.domain == trimsuffix(self.name, ".") || endswith(coalesce(var.domain, "-"), ".${trimsuffix(self.name, ".")}")
      error_message = "domain: ${coalesce(var.domain, "none")} is not in the zone ${var.zone_id}, which is ${trimsuffix(self.name, ".")}. Give a name in it, or the zone of that name: aws route53 list-hosted-zones-by-name --dns-name ${coalesce(var.domain, "example.org")}"
    }
    postcondition {
      condition     = !self.private_zone
      error_message = "zone_id: ${var.zone_id} is a private zone, which nobody outside asks. Give the public one of that name."
    }
  }
}

locals {
  # With a zone that the machine can write in, no port has to be open.
  dns_challenge = var.tls == "letsencrypt" && var.zone_id != null
}

# Which way the machine was told to take when it was made, whatever is given meanwhile: each renewal
# takes it. In triggers_replace, which every plan knows; what is in output only the apply does.
resource "terraform_data" "challenge" {
  triggers_replace = {
    machine = one(concat(aws_instance.this[*].id, aws_spot_instance_request.this[*].id))
    way     = var.tls != "letsencrypt" ? "none" : local.dns_challenge ? "record" : "port"
  }

  lifecycle {
    ignore_changes = [triggers_replace.way]
  }
}

# An Elastic IP: the record is made once, and an automatic address changes with every start.
resource "aws_route53_record" "this" {
  count = var.zone_id == null ? 0 : 1

  zone_id = data.aws_route53_zone.this[0].zone_id
  name    = var.domain
  type    = "A"
  ttl     = 60
  records = [aws_eip.this[0].public_ip]
}
