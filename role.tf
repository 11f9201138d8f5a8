# What the machine may do in AWS: nothing, but for what a variable asks. docs/adr/0018-role.md

locals {
  role      = var.bucket != null || var.session_manager || local.dns_challenge
  role_name = "jupyter-clouds-machine-${var.name}-${substr(sha256(terraform_data.bucket.triggers_replace), 0, 8)}"
  # By which the wrapper finds what a lost state left: IAM has no regions, deployments have.
  role_path = "/jupyter-clouds/${data.aws_region.this.id}/"

  # NAME or NAME/PREFIX; the role ends at the slash after the prefix: "data" is not also "data-two".
  bucket_name   = var.bucket == null ? "" : split("/", var.bucket)[0]
  bucket_prefix = var.bucket == null ? "" : trimprefix(trimprefix(var.bucket, local.bucket_name), "/")
  bucket_arn    = "arn:${data.aws_partition.this.partition}:s3:::${local.bucket_name}"
  bucket_folder = local.bucket_prefix == "" ? "" : "${local.bucket_prefix}/"

  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-policies-s3.html
  bucket_statements = [
    merge(
      { Sid = "List", Effect = "Allow", Action = ["s3:ListBucket"], Resource = [local.bucket_arn] },
      local.bucket_prefix == "" ? {} : { Condition = { StringLike = { "s3:prefix" = ["${local.bucket_folder}*"] } } },
    ),
    {
      Sid      = "Region"
      Effect   = "Allow"
      Action   = ["s3:GetBucketLocation"]
      Resource = [local.bucket_arn]
    },
    {
      Sid      = "Objects"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
      Resource = ["${local.bucket_arn}/${local.bucket_folder}*"]
    },
  ]
}

resource "aws_iam_role" "this" {
  count = local.role ? 1 : 0

  name        = local.role_name
  path        = local.role_path
  description = "Of the machine of the notebook ${var.name}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.${data.aws_partition.this.dns_suffix}" } }]
  })

  tags = local.tags
}

resource "aws_iam_role_policy" "bucket" {
  count = var.bucket != null ? 1 : 0

  name   = "bucket"
  role   = aws_iam_role.this[0].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.bucket_statements })
}

# What the agent needs for sessions. AmazonSSMManagedInstanceCore would give it every parameter of the
# account besides: https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html
resource "aws_iam_role_policy" "session_manager" {
  count = var.session_manager ? 1 : 0

  name = "session-manager"
  role = aws_iam_role.this[0].name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{
    Effect   = "Allow"
    Action   = ["ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]
    Resource = "*"
  }] })
}

check "session_manager" {
  assert {
    condition     = !(var.session_manager && var.metadata_access)
    error_message = "metadata_access gives the notebook's user the role's credentials: with session_manager, whoever has them can pose as this machine's agent and read what is typed in a session. Take one of the two."
  }
}

# The one record that an authority asks for, and no other. That its value cannot be narrowed: docs/adr/0017-letsencrypt.md
# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-rrset-conditions.html
resource "aws_iam_role_policy" "dns_challenge" {
  count = local.dns_challenge ? 1 : 0

  name = "dns-challenge"
  role = aws_iam_role.this[0].name
  policy = jsonencode({ Version = "2012-10-17", Statement = [
    {
      Sid      = "Record"
      Effect   = "Allow"
      Action   = ["route53:ChangeResourceRecordSets"]
      Resource = ["arn:${data.aws_partition.this.partition}:route53:::hostedzone/${var.zone_id}"]
      Condition = { "ForAllValues:StringEquals" = {
        "route53:ChangeResourceRecordSetsNormalizedRecordNames" = ["_acme-challenge.${var.domain}"]
        "route53:ChangeResourceRecordSetsRecordTypes"           = ["TXT"]
        "route53:ChangeResourceRecordSetsActions"               = ["DELETE", "UPSERT"]
      } }
    },
    {
      Sid      = "InForce"
      Effect   = "Allow"
      Action   = ["route53:GetChange"]
      Resource = ["arn:${data.aws_partition.this.partition}:route53:::change/*"]
    },
  ] })
}

check "dns_challenge" {
  assert {
    condition     = !(local.dns_challenge && var.metadata_access)
    error_message = "metadata_access gives the notebook's user the role's credentials: with zone_id and tls = \"letsencrypt\", whoever has them can have a certificate made for ${coalesce(var.domain, "the domain")} with a key of their own. Take one of the two."
  }
}

resource "aws_iam_instance_profile" "this" {
  count = local.role ? 1 : 0

  name = local.role_name
  path = local.role_path
  role = aws_iam_role.this[0].name

  tags = local.tags
}
