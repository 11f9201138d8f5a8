# Where the user's work lives: a volume of its own, which outlives machines. docs/adr/0007-data-volume.md

locals {
  # Decided by the size wherever that is enough: a count may not hang on the id of a volume that is
  # made in the same apply. (&& and || look at both sides until Terraform 1.12.)
  data_volume_managed  = var.data_volume_size == null ? false : var.data_volume_size == 0 ? false : var.data_volume_id == null
  data_volume_attached = var.data_volume_size == null ? true : var.data_volume_size > 0 ? true : var.data_volume_id != null
  data_volume_adopted  = local.data_volume_attached && !local.data_volume_managed

  # As it was given, not as it was looked up: look-ups may be deferred, and the attachment be replaced.
  data_volume_id = local.data_volume_managed ? one(aws_ebs_volume.data[*].id) : var.data_volume_id
  # Made side by side with the machine, a volume has no id yet that the machine could be told (ten
  # seconds of every start): the machine is told to take the one EBS volume that it gets, and keeps
  # to it.
  data_volume_told = local.data_volume_managed ? "vol" : var.data_volume_id
  # Its size before anything of this plan is done, as the machine's refresh has seen it: Terraform puts
  # off look-ups, and all that hangs on them, when the volume itself is to change.
  data_volume_now  = one([for disk in flatten(concat(aws_instance.this[*].ebs_block_device[*], aws_spot_instance_request.this[*].ebs_block_device[*])) : disk.volume_size if disk.volume_id == one(aws_ebs_volume.data[*].id)])
  data_volume_zone = one(data.aws_ebs_volume.adopted[*].availability_zone)
}

data "aws_ebs_volumes" "adopted" {
  count = local.data_volume_adopted ? 1 : 0

  filter {
    name   = "volume-id"
    values = [var.data_volume_id]
  }

  lifecycle {
    precondition {
      condition     = var.data_volume_id != null
      error_message = "data_volume_size = null says that a data_volume_id is given. Give one, or a size."
    }
    postcondition {
      condition     = length(self.ids) > 0
      error_message = "data_volume_id: this account has no volume ${var.data_volume_id} in ${data.aws_region.this.id}. Yours: aws ec2 describe-volumes --region ${data.aws_region.this.id} --query 'Volumes[].[VolumeId,State]' --output text"
    }
  }
}

data "aws_ebs_volume" "adopted" {
  count = local.data_volume_adopted ? 1 : 0

  filter {
    name   = "volume-id"
    values = data.aws_ebs_volumes.adopted[0].ids
  }

  lifecycle {
    postcondition {
      condition     = contains(data.aws_ec2_instance_type_offerings.this.locations, self.availability_zone)
      error_message = "${var.instance_type} is not offered in ${self.availability_zone}, where ${self.id} is. Choose another type, or start in another zone from a snapshot of it (data_snapshot_id)."
    }
  }
}

# By state, since a look-up tells ids only; unknown ids give an empty list.
data "aws_ebs_snapshot_ids" "start" {
  for_each = local.data_volume_managed ? toset(["completed", "error", "pending"]) : toset([])

  filter {
    name   = "snapshot-id"
    values = [var.data_snapshot_id == null ? "none" : var.data_snapshot_id]
  }

  filter {
    name   = "status"
    values = [each.key]
  }
}

# A look-up tells no size either, and one that does fails where there is no snapshot: so, is it among
# those of a size that fits? 200 values are the most of one filter, five look-ups enough for most.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
data "aws_ebs_snapshot_ids" "fits" {
  for_each = { for sizes in local.snapshot_sizes : sizes[0] => sizes }

  filter {
    name   = "snapshot-id"
    values = [var.data_snapshot_id == null ? "none" : var.data_snapshot_id]
  }

  filter {
    name   = "volume-size"
    values = each.value
  }
}

locals {
  snapshot_judged = local.data_volume_managed ? var.data_volume_size <= 1000 : false # EC2 does the rest, in the apply
  snapshot_sizes  = local.snapshot_judged ? chunklist(range(1, var.data_volume_size + 1), 200) : []
  snapshot_fits   = !local.snapshot_judged || anytrue([for found in data.aws_ebs_snapshot_ids.fits : length(found.ids) > 0])

  snapshot_states = [for state, found in data.aws_ebs_snapshot_ids.start : state if length(found.ids) > 0]
  snapshot_refused = (
    var.data_snapshot_id == null ? ""
    : contains(local.snapshot_states, "completed") ? local.snapshot_fits ? "" : "${var.data_snapshot_id} is of a volume of more than data_volume_size = ${var.data_volume_size} GiB. Its size: aws ec2 describe-snapshots --region ${data.aws_region.this.id} --snapshot-ids ${var.data_snapshot_id} --query 'Snapshots[].VolumeSize' --output text"
    : contains(local.snapshot_states, "pending") ? "${var.data_snapshot_id} is still being taken. Wait for it: aws ec2 wait snapshot-completed --region ${data.aws_region.this.id} --snapshot-ids ${var.data_snapshot_id}"
    : contains(local.snapshot_states, "error") ? "${var.data_snapshot_id} failed: what it holds is not whole. Give another one."
    : "this account may use no snapshot ${var.data_snapshot_id} in ${data.aws_region.this.id}. Yours: aws ec2 describe-snapshots --owner-ids self --region ${data.aws_region.this.id}"
  )
}

# Judged once, when the volume is made: later the snapshot may be gone.
resource "terraform_data" "start" {
  count = local.data_volume_managed ? 1 : 0

  input = local.snapshot_refused

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.input == ""
      error_message = "data_snapshot_id: ${local.snapshot_refused}"
    }
  }
}

resource "aws_ebs_volume" "data" {
  count = local.data_volume_managed ? 1 : 0

  availability_zone = local.placement.availability_zone
  encrypted         = true
  size              = var.data_volume_size
  snapshot_id       = var.data_snapshot_id
  type              = "gp3"

  tags = merge(local.tags, {
    "jupyter-clouds:data-of" = var.name
    # The environments on it run on no other.
    "jupyter-clouds:architecture" = local.graviton ? "arm64" : "x86_64"
  })

  depends_on = [terraform_data.start]

  lifecycle {
    # Another zone or snapshot would replace the volume, and what is on it would be gone.
    ignore_changes = [availability_zone, snapshot_id]

    postcondition {
      condition     = self.availability_zone == local.placement.availability_zone
      error_message = "The data volume ${self.id} is in ${self.availability_zone}, and the machine would be in ${local.placement.availability_zone}: a volume never leaves its zone. Nothing of it is lost. Go back to a subnet in ${self.availability_zone}, or move by a snapshot (jupyter-clouds up does): docs/spot.md"
    }
  }
}

resource "aws_volume_attachment" "data" {
  count = local.data_volume_attached ? 1 : 0

  device_name = "/dev/sdf"
  instance_id = local.machine_id
  volume_id   = local.data_volume_id

  # EC2 never lets go of a mounted volume: the machine stops first, or, where EC2 cannot stop it
  # (one-time spot), its end lets go of the volume.
  # https://docs.aws.amazon.com/ebs/latest/userguide/ebs-detaching-volume.html
  skip_destroy                   = local.market == "one-time"
  stop_instance_before_detaching = local.market != "one-time"

  lifecycle {
    precondition {
      condition     = data.aws_ec2_instance_type.this.hypervisor != "xen"
      error_message = "${var.instance_type} is of the older Xen generation, on which a machine cannot tell its volumes apart. Choose a Nitro type (t3, m5 and newer), or data_volume_size = 0."
    }
    precondition {
      condition     = local.data_volume_now == null ? true : var.data_volume_size >= local.data_volume_now
      error_message = "data_volume_size: the data volume has ${local.data_volume_now == null ? 0 : local.data_volume_now} GiB, and never becomes smaller. Give as many, or more."
    }
  }
}
