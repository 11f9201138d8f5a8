# What is looked up, and the machine. Network: network.tf. What the machine is told: user_data.tf.

data "aws_region" "this" {}

data "aws_partition" "this" {}

data "aws_ec2_instance_type" "this" {
  instance_type = var.instance_type
}

data "aws_ec2_instance_type_offerings" "this" {
  location_type = "availability-zone"

  filter {
    name   = "instance-type"
    values = [var.instance_type]
  }

  lifecycle {
    postcondition {
      condition     = length(self.locations) > 0
      error_message = "${var.instance_type} is not offered in ${data.aws_region.this.id}. Offered there: aws ec2 describe-instance-type-offerings --region ${data.aws_region.this.id}"
    }
  }
}

# Plural look-ups return empty lists where singular ones fail, so neither needs a count; a count on
# ami_id or subnet_id would fail for one made in the same apply.
data "aws_ami_ids" "ubuntu" {
  # Canonical's: https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/
  # With NVIDIA's driver, AWS's: https://docs.aws.amazon.com/dlami/latest/devguide/appendix-ami-release-notes.html
  owners = [local.nvidia ? "amazon" : local.canonical[data.aws_partition.this.partition]]

  filter {
    name = "name"
    values = [
      local.nvidia
      ? "Deep Learning ${local.arm64 ? "ARM64 " : ""}Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) *"
      : "ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-${local.arm64 ? "arm64" : "amd64"}-server-*"
    ]
  }

  filter {
    name   = "state"
    values = ["available"]
  }
}

data "aws_ami" "this" {
  include_deprecated = true # an image of one's own choice may be old

  filter {
    name   = "image-id"
    values = [local.ami_id]
  }

  lifecycle {
    postcondition {
      condition     = contains(data.aws_ec2_instance_type.this.supported_architectures, self.architecture)
      error_message = "Image ${self.id} is for ${self.architecture}, but ${var.instance_type} is ${join("/", data.aws_ec2_instance_type.this.supported_architectures)}. Choose an instance type or an image to match."
    }
  }
}

locals {
  # Canonical publishes under another account in each partition.
  canonical = {
    aws        = "099720109477"
    aws-cn     = "837727238323"
    aws-us-gov = "513442679011"
  }
  debian = "136693071363" # https://wiki.debian.org/Cloud/AmazonEC2Image
  arm64  = contains(data.aws_ec2_instance_type.this.supported_architectures, "arm64")
  ami_id = var.ami_id != null ? var.ami_id : try(data.aws_ami_ids.ubuntu.ids[0], "no image of Ubuntu's found") # newest first

  # EC2 starts a stopped machine again in place only for persistent requests. A one-time request is
  # an instance with market options: its resource can say more (tags, IMDSv2).
  persistent = var.spot && var.on_interruption != "terminate"
  hibernates = var.spot && var.on_interruption == "hibernate"
  market     = !var.spot ? "on-demand" : local.persistent ? "persistent" : "one-time"

  image_asked = var.ami_id == null ? "the newest" : var.ami_id
  # Not instance store, which is no EBS volume.
  further_disks = [for device in data.aws_ami.this.block_device_mappings : device.device_name if device.device_name != data.aws_ami.this.root_device_name && try(length(device.ebs) > 0, false)]

  # By name, not by look-up: what replaces a machine must be known whenever a plan is made.
  graviton = can(regex("^(a1\\.|[a-z]+[0-9]+[a-z]*g)", var.instance_type))
  # GPUs for which AWS publishes an image with the driver: the open one wants NVIDIA's Turing or newer,
  # a fraction of a GPU (g6f, gr6f) another one. g4ad is AMD's.
  nvidia = can(regex("^(g|gr|p)[4-9]", var.instance_type)) && !can(regex("^(g4ad|g6f|gr6f)\\.", var.instance_type))

  # A number, not the image's: a newer image may never change the disk of a running machine.
  root_volume_size    = var.root_volume_size != null ? var.root_volume_size : local.nvidia ? 125 : 30
  root_volume_fits    = alltrue([for device in data.aws_ami.this.block_device_mappings : device.device_name != data.aws_ami.this.root_device_name || local.root_volume_size >= tonumber(device.ebs.volume_size)])
  root_volume_refused = "root_volume_size: image ${data.aws_ami.this.id} needs a larger disk than ${local.root_volume_size} GiB."

  # Shared by both kinds of machine.
  machine = {
    ami               = data.aws_ami.this.id
    profile           = one(aws_iam_instance_profile.this[*].name)
    subnet_id         = local.placement.subnet_id
    security_groups   = [aws_security_group.this.id]
    user_data_base64  = local.user_data["machine"]
    root_block_device = { encrypted = true, volume_type = "gp3", volume_size = local.root_volume_size, delete_on_termination = true }
  }

  machine_id      = one(concat(aws_instance.this[*].id, aws_spot_instance_request.this[*].spot_instance_id))
  machine_ami     = one(concat(aws_instance.this[*].ami, aws_spot_instance_request.this[*].ami))
  spot_request_id = one(concat(aws_instance.this[*].spot_instance_request_id, aws_spot_instance_request.this[*].id))

  tags = merge(
    var.tags,
    { "Name" = "jupyter-clouds-${var.name}", "jupyter-clouds:deployment" = var.name },
    var.owner == null ? {} : { "jupyter-clouds:owner" = var.owner },
  )
}

# The inputs that replace a machine. Nothing that is looked up is among them: neither a new image nor
# a new version of this module may end a running machine.
resource "terraform_data" "generation" {
  # With a GPU comes another image. (Only then is it in the list, which is compared as a whole.)
  triggers_replace = concat([var.generation, local.market, local.graviton], local.nvidia ? ["nvidia"] : [])

  # What its machine was allowed to begin with. Kept as it was: the plans of one that runs go on,
  # also of one that an earlier version made, which kept nothing, or the image alone.
  input = {
    image          = length(local.further_disks) == 0 ? local.image_asked : "further disks"
    user_data_size = local.user_data_size
  }

  lifecycle {
    ignore_changes = [input]

    postcondition {
      # Such a disk comes with the machine, and may be there before the volume is: docs/adr/0007-data-volume.md
      condition     = !local.data_volume_managed || length(local.further_disks) == 0 || self.input == null || try(self.input.image, self.input) == local.image_asked
      error_message = "ami_id: image ${data.aws_ami.this.id} brings further disks (${join(", ", local.further_disks)}), which the machine could take for its new data volume. Give an image of its root disk alone, a volume that exists (data_volume_id), or data_volume_size = 0."
    }
    postcondition {
      # Before there is an address, a machine's own user data is not known (below).
      condition     = local.user_data_size <= local.user_data_limit || try(self.input.user_data_size, 0) <= local.user_data_limit
      error_message = local.user_data_refused
    }
    precondition {
      condition     = !var.spot || contains(data.aws_ec2_instance_type.this.supported_usages_classes, "spot")
      error_message = "${var.instance_type} is not sold as spot. Choose another type, or spot = false."
    }
    precondition {
      # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/hibernating-prerequisites.html
      condition     = !local.hibernates || data.aws_ec2_instance_type.this.hibernation_supported
      error_message = "on_interruption: EC2 does not hibernate ${var.instance_type}. Choose a type that it does (aws ec2 describe-instance-types --filters Name=hibernation-supported,Values=true), or on_interruption = \"stop\"."
    }
    precondition {
      condition     = !local.hibernates || local.root_volume_size * 1024 >= data.aws_ec2_instance_type.this.memory_size + 8192
      error_message = "on_interruption: the memory of a machine that hibernates is written to its root disk. Give a root_volume_size of ${ceil(data.aws_ec2_instance_type.this.memory_size / 1024) + 8} (8 GiB more than ${var.instance_type}'s memory), or on_interruption = \"stop\"."
    }
    precondition {
      condition     = !local.hibernates || data.aws_ec2_instance_type.this.memory_size <= 150 * 1024
      error_message = "on_interruption: ${var.instance_type} has more than the 150 GiB of memory that EC2 hibernates. Choose a smaller type, or on_interruption = \"stop\"."
    }
    precondition {
      # Whether an image of one's own can, nobody can tell from outside: the check below warns.
      condition     = !local.hibernates || (var.ami_id != null && data.aws_ami.this.owner_id != local.debian)
      error_message = "on_interruption: EC2 hibernates the images of its list (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/hibernating-prerequisites.html), and ${data.aws_ami.this.id} (${data.aws_ami.this.name}) is none of them. Give one that can, made by its section on configuring an image (ami_id), or on_interruption = \"stop\"."
    }
  }
}

resource "aws_instance" "this" {
  count = local.persistent ? 0 : 1

  ami                         = local.machine.ami
  associate_public_ip_address = true
  iam_instance_profile        = local.machine.profile # changed in place
  # What a machine that stops by itself becomes. A one-time spot machine can only end; a persistent
  # spot request cannot say it, and stops: EC2's default.
  # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingInstanceInitiatedShutdownBehavior.html
  instance_initiated_shutdown_behavior = var.spot ? "terminate" : "stop"
  instance_type                        = var.instance_type
  subnet_id                            = local.machine.subnet_id
  user_data_base64                     = local.machine.user_data_base64
  vpc_security_group_ids               = local.machine.security_groups

  dynamic "instance_market_options" {
    for_each = var.spot ? ["spot"] : []

    content {
      market_type = instance_market_options.value

      spot_options {
        instance_interruption_behavior = "terminate"
        spot_instance_type             = "one-time"
      }
    }
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_put_response_hop_limit = 1
    http_tokens                 = "required"
  }

  root_block_device {
    delete_on_termination = local.machine.root_block_device.delete_on_termination
    encrypted             = local.machine.root_block_device.encrypted
    tags                  = local.tags
    volume_size           = local.machine.root_block_device.volume_size
    volume_type           = local.machine.root_block_device.volume_type
  }

  tags = local.tags

  lifecycle {
    # The address is replaced by the elastic one, and either value would then force a replacement.
    ignore_changes       = [ami, associate_public_ip_address, user_data_base64]
    replace_triggered_by = [terraform_data.generation]

    # One that runs keeps its image and its user data, whatever a newer one would need.
    postcondition {
      condition     = self.ami != local.machine.ami || local.root_volume_fits
      error_message = local.root_volume_refused
    }
    postcondition {
      condition     = self.user_data_base64 != local.machine.user_data_base64 || local.user_data_size <= local.user_data_limit
      error_message = local.user_data_refused
    }
  }
}

resource "aws_spot_instance_request" "this" {
  count = local.persistent ? 1 : 0

  ami                            = local.machine.ami
  associate_public_ip_address    = true
  iam_instance_profile           = local.machine.profile
  instance_interruption_behavior = var.on_interruption
  instance_type                  = var.instance_type
  spot_type                      = "persistent"
  subnet_id                      = local.machine.subnet_id
  user_data_base64               = local.machine.user_data_base64
  vpc_security_group_ids         = local.machine.security_groups
  wait_for_fulfillment           = true

  root_block_device {
    delete_on_termination = local.machine.root_block_device.delete_on_termination
    encrypted             = local.machine.root_block_device.encrypted
    volume_size           = local.machine.root_block_device.volume_size
    volume_type           = local.machine.root_block_device.volume_type
  }

  tags = local.tags

  lifecycle {
    # The disk's tags are aws_ec2_tag's. Another profile would replace the machine, whose role EC2 can
    # change: aws ec2 associate-iam-instance-profile (jupyter-clouds up does).
    ignore_changes       = [ami, associate_public_ip_address, iam_instance_profile, root_block_device[0].tags, user_data_base64]
    replace_triggered_by = [terraform_data.generation]

    # As above.
    postcondition {
      condition     = self.ami != local.machine.ami || local.root_volume_fits
      error_message = local.root_volume_refused
    }
    postcondition {
      condition     = self.user_data_base64 != local.machine.user_data_base64 || local.user_data_size <= local.user_data_limit
      error_message = local.user_data_refused
    }
  }
}

# A spot request's tags stay with the request. An aws_instance tags its own, and would undo these.
resource "aws_ec2_tag" "this" {
  for_each = local.persistent ? { for pair in setproduct(["instance", "volume"], keys(local.tags)) : join(" ", pair) => { kind = pair[0], key = pair[1] } } : {}

  resource_id = each.value.kind == "instance" ? local.machine_id : one(aws_spot_instance_request.this[*].root_block_device[0].volume_id)
  key         = each.value.key
  value       = local.tags[each.value.key]
}

# aws_spot_instance_request takes metadata_options and never sends them.
check "imdsv2" {
  assert {
    condition     = !local.persistent || data.aws_ami.this.imds_support == "v2.0"
    error_message = "Image ${data.aws_ami.this.id} does not ask for IMDSv2, and a spot request cannot. Ask for it yourself: aws ec2 modify-instance-metadata-options --http-tokens required --instance-id ID (jupyter-clouds up does)."
  }
}

# What is in an image of one's own, nothing here can tell: no refusal.
check "hibernation" {
  assert {
    condition     = !local.hibernates || can(regex("ubuntu-(bionic|focal|jammy)-|^al2023-ami-|^amzn2-ami-", data.aws_ami.this.name))
    error_message = "EC2 hibernates the images of its list: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/hibernating-prerequisites.html. By its name, ${data.aws_ami.this.id} (${data.aws_ami.this.name}) is not among those that were there in 2026-11. Where an image cannot, EC2 stops the machine instead; all but its memory is kept."
  }
}

check "gpu_driver" {
  assert {
    condition     = local.nvidia || var.ami_id != null || length(data.aws_ec2_instance_type.this.gpus) == 0
    error_message = "${var.instance_type} has a GPU for which AWS publishes no Ubuntu image with the driver. Give an image that has it (ami_id), or install it: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/install-nvidia-driver.html"
  }
}
