# Where the machine stands, who may reach it, and its address.

data "aws_vpcs" "default" {
  filter {
    name   = "is-default"
    values = ["true"]
  }

  lifecycle {
    postcondition {
      condition     = var.subnet_id != null || length(self.ids) > 0
      error_message = "This account has no default VPC in ${data.aws_region.this.id}. Make one (aws ec2 create-default-vpc --region ${data.aws_region.this.id}), or give subnet_id."
    }
  }
}

data "aws_subnets" "default" {
  filter {
    name   = "vpc-id"
    values = length(data.aws_vpcs.default.ids) > 0 ? data.aws_vpcs.default.ids : ["none"]
  }

  filter {
    name   = "default-for-az"
    values = ["true"]
  }

  filter {
    name   = "availability-zone"
    values = local.data_volume_zone != null ? [local.data_volume_zone] : data.aws_ec2_instance_type_offerings.this.locations
  }

  lifecycle {
    postcondition {
      condition     = var.subnet_id != null || length(self.ids) > 0
      error_message = "The default VPC in ${data.aws_region.this.id} has no subnet in a zone that offers ${var.instance_type} (${join(", ", data.aws_ec2_instance_type_offerings.this.locations)}). Make one (aws ec2 create-default-subnet --availability-zone ZONE), or give subnet_id."
    }
  }
}

data "aws_subnet" "candidate" {
  id = var.subnet_id != null ? var.subnet_id : sort(data.aws_subnets.default.ids)[0]
}

locals {
  placement = terraform_data.placement.output

  notebook_ports = merge({ 9999 = "Notebook" }, var.https ? { 443 = "Notebook, redirected to 9999 on the machine" } : {})

  # As EC2 keeps them: 203.0.113.7/24 is 203.0.113.0/24, or every plan would show a difference.
  canonical_cidrs = {
    notebook = toset([for cidr in var.allowed_cidrs : cidrsubnet(cidr, 0, 0)])
    ssh      = toset([for cidr in var.ssh_cidrs : cidrsubnet(cidr, 0, 0)])
  }
  ingress = merge(
    { for pair in setproduct(keys(local.notebook_ports), local.canonical_cidrs.notebook) : join(" ", pair) => { port = tonumber(pair[0]), cidr = pair[1], description = local.notebook_ports[pair[0]] } },
    { for cidr in local.canonical_cidrs.ssh : "22 ${cidr}" => { port = 22, cidr = cidr, description = "SSH" } },
  )

  public_ip = var.elastic_ip ? one(aws_eip.this[*].public_ip) : one(concat(aws_instance.this[*].public_ip, aws_spot_instance_request.this[*].public_ip))
}

# Chosen once and kept: look-ups may be deferred to the apply (depends_on on this module), and what
# hangs on them would then be replaced.
resource "terraform_data" "placement" {
  input = {
    availability_zone = data.aws_subnet.candidate.availability_zone
    subnet_id         = data.aws_subnet.candidate.id
    vpc_id            = data.aws_subnet.candidate.vpc_id
  }
  triggers_replace = var.subnet_id

  lifecycle {
    ignore_changes = [input]

    precondition {
      condition     = local.data_volume_zone == null || local.data_volume_zone == data.aws_subnet.candidate.availability_zone
      error_message = "subnet_id: ${data.aws_subnet.candidate.id} is in ${data.aws_subnet.candidate.availability_zone}, and the data volume in ${local.data_volume_zone != null ? local.data_volume_zone : "no zone"}. Give a subnet of that zone, or none."
    }
    precondition {
      condition     = contains(data.aws_ec2_instance_type_offerings.this.locations, data.aws_subnet.candidate.availability_zone)
      error_message = "${var.instance_type} is not offered in ${data.aws_subnet.candidate.availability_zone}, the zone of ${data.aws_subnet.candidate.id}. Choose another type, or a subnet in ${join(", ", sort(data.aws_ec2_instance_type_offerings.this.locations))}."
    }
    postcondition {
      condition     = local.data_volume_zone == null || local.data_volume_zone == self.output.availability_zone
      error_message = "data_volume_id: the volume is in ${local.data_volume_zone != null ? local.data_volume_zone : "no zone"}, and this deployment stands in ${self.output.availability_zone}. Give subnet_id of a subnet in the volume's zone, too: a machine is made there in place of this one."
    }
    postcondition {
      condition     = contains(data.aws_ec2_instance_type_offerings.this.locations, self.output.availability_zone)
      error_message = "${var.instance_type} is not offered in ${self.output.availability_zone}, where this deployment stands. Choose another type, or give subnet_id of a subnet in ${join(", ", sort(data.aws_ec2_instance_type_offerings.this.locations))}."
    }
  }
}

resource "aws_security_group" "this" {
  name_prefix = "jupyter-clouds-${var.name}-"
  description = "Notebook ${var.name} of jupyter-clouds"
  vpc_id      = local.placement.vpc_id

  tags = local.tags

  # Of 15 minutes as the provider has it: a group that somebody else's rule or interface refers to
  # stays however long one waits, and the machine is gone before.
  timeouts {
    delete = "3m"
  }

  lifecycle {
    create_before_destroy = true # in another VPC, the machine has to move first
  }
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = local.ingress

  security_group_id = aws_security_group.this.id
  description       = each.value.description
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = strcontains(each.value.cidr, ":") ? null : each.value.cidr
  cidr_ipv6         = strcontains(each.value.cidr, ":") ? each.value.cidr : null

  tags = local.tags
}

# Who validates, and from where, Let's Encrypt does not publish: https://letsencrypt.org/docs/faq/
# Apart from the others, which have no machine to wait for.
resource "aws_vpc_security_group_ingress_rule" "validation" {
  count = var.tls == "letsencrypt" && terraform_data.challenge.triggers_replace.way == "port" ? 1 : 0

  security_group_id = aws_security_group.this.id
  description       = "Validation, answered only while it lasts"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = "0.0.0.0/0"

  tags = local.tags
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = { ipv4 = "0.0.0.0/0", ipv6 = "::/0" }

  security_group_id = aws_security_group.this.id
  description       = "Packages, data and whatever else a notebook fetches"
  ip_protocol       = "-1"
  cidr_ipv4         = each.key == "ipv4" ? each.value : null
  cidr_ipv6         = each.key == "ipv6" ? each.value : null

  tags = local.tags
}

resource "aws_eip" "this" {
  count = var.elastic_ip ? 1 : 0

  domain = "vpc"

  # A record has no tags: the address tells of it, should the state be lost; and of the machine's, which
  # no state knows.
  tags = merge(
    local.tags,
    var.zone_id == null ? {} : { "jupyter-clouds:record" = "${var.zone_id}/${var.domain}" },
    local.dns_challenge ? { "jupyter-clouds:challenge" = "${var.zone_id}/_acme-challenge.${var.domain}" } : {},
  )
}

# A fulfilled request's machine is still pending, and EC2 then refuses an address, unretried:
# https://github.com/hashicorp/terraform-provider-aws/issues/21228. An aws_instance waits by itself.
resource "aws_ec2_instance_state" "this" {
  count = local.persistent ? 1 : 0

  instance_id = local.machine_id
  state       = "running"

  lifecycle {
    ignore_changes = [state] # a machine that its owner stopped stays stopped
  }
}

resource "aws_eip_association" "this" {
  count = var.elastic_ip ? 1 : 0

  allocation_id = aws_eip.this[0].id
  instance_id   = one(concat(aws_instance.this[*].id, aws_ec2_instance_state.this[*].instance_id))
}

check "reachable" {
  assert {
    condition     = length(var.allowed_cidrs) > 0
    error_message = "Nobody can reach the notebook yet. Let yourself in: -var 'allowed_cidrs=[\"ADDRESS/32\"]', where ADDRESS is what https://checkip.amazonaws.com shows (jupyter-clouds configure writes it)."
  }
}
