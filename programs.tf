# What user data has no room for: programs that the machine fetches from a bucket of its own, and
# checks against the SHA-256 in user data (docs/adr/0006-services.md).

locals {
  # templates/services mirrors the machine's root.
  services_folder = "${path.module}/templates/services"
  services_files  = [for name in fileset(local.services_folder, "**") : name if !strcontains(name, "__pycache__")]
  services_text   = jsonencode({ for name in local.services_files : name => file("${local.services_folder}/${name}") })
  services_sha256 = sha256(local.services_text)

  # Named here and not by S3, so that the machine is launched while the bucket is made; by its
  # digest, so that the object is always the one that a new machine is told of.
  services_bucket = { machine = "jupyter-clouds-${var.name}-${substr(sha256(terraform_data.bucket.triggers_replace), 0, 12)}", sample = "jupyter-clouds-${var.name}-${substr(sha256("bucket"), 0, 12)}" }
  services_key    = "${local.services_sha256}.json"
  services = {
    for name, bucket in local.services_bucket : name => {
      sha256 = local.services_sha256
      url    = var.services_url != null ? var.services_url : var.services_endpoint != null ? "${trimsuffix(var.services_endpoint, "/")}/${bucket}/${local.services_key}" : "https://${bucket}.s3.${data.aws_region.this.id}.${data.aws_partition.this.dns_suffix}/${local.services_key}"
    }
  }

  # Read without credentials, but from the machine alone. S3 does not count such statements as
  # public, so that Block Public Access stays on in full:
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
  services_read = {
    Effect    = "Allow"
    Principal = "*"
    Action    = "s3:GetObject"
    Resource  = "${local.services_arn}/${local.services_key}"
  }
  services_statements = concat(
    # Through a VPC endpoint of S3's there is no public address:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies-vpc-endpoint.html
    [merge(local.services_read, { Sid = "FromItsNetwork", Condition = { StringEquals = { "aws:SourceVpc" = local.placement.vpc_id } } })],
    [
      for name in local.services_tls ? ["TlsOnly"] : [] : {
        Sid       = name
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.services_arn, "${local.services_arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }
    ],
  )
  # Not of the partition, a look-up that may be deferred: the policy would then seem to change.
  services_arn = join("", aws_s3_bucket.this[*].arn)
  services_tls = !startswith(coalesce(var.services_endpoint, "https://"), "http://")
}

# Made once and kept, as the password is; for a name that nobody else has taken.
resource "terraform_data" "bucket" {
  triggers_replace = uuid()

  lifecycle {
    ignore_changes = [triggers_replace]
  }
}

resource "aws_s3_bucket" "this" {
  count = var.services_url == null ? 1 : 0

  bucket        = local.services_bucket.machine
  force_destroy = true

  tags = local.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  count = var.services_url == null ? 1 : 0

  bucket                  = aws_s3_bucket.this[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# Before the machine, which then need not wait for it: an Elastic IP is known.
resource "aws_s3_bucket_policy" "this" {
  count = var.services_url == null && var.elastic_ip ? 1 : 0

  # Not side by side: S3 refuses two changes of a bucket's access at once.
  bucket = aws_s3_bucket_public_access_block.this[0].bucket
  policy = jsonencode({ Version = "2012-10-17", Statement = concat(
    [merge(local.services_read, { Sid = "FromTheMachine", Condition = { IpAddress = { "aws:SourceIp" = "${aws_eip.this[0].public_ip}/32" } } })],
    local.services_statements,
  ) })
}

# After the machine, whose automatic address is none while it is stopped. (A resource of its own: what
# is mentioned is waited for.)
resource "aws_s3_bucket_policy" "automatic" {
  count = var.services_url == null && !var.elastic_ip ? 1 : 0

  bucket = aws_s3_bucket_public_access_block.this[0].bucket
  policy = jsonencode({ Version = "2012-10-17", Statement = concat(
    [for address in compact([local.public_ip]) : merge(local.services_read, { Sid = "FromTheMachine", Condition = { IpAddress = { "aws:SourceIp" = "${address}/32" } } })],
    local.services_statements,
  ) })
}

# A machine that runs has its copy: another version of this module changes the object, not the
# machine.
resource "aws_s3_object" "this" {
  count = var.services_url == null ? 1 : 0

  bucket       = aws_s3_bucket.this[0].id
  key          = local.services_key
  content      = sensitive(local.services_text) # no secret, but every plan would print it
  content_type = "application/json"
  # Not KMS, which refuses whoever has no credentials.
  server_side_encryption = "AES256"

  # S3 takes ten tags for an object, where an account's default tags may be more.
  override_provider {
    default_tags {
      tags = {}
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}
