# What the machine is told at its first boot, within the 16 KB that EC2 takes:
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html

locals {
  # templates/machine mirrors the machine's root; scripts/bundle.py packs it, far smaller than
  # Terraform, which has gzip only, could.
  programs = [
    {
      path     = "/opt/jupyter-clouds/machine.bin"
      content  = filebase64("${path.module}/templates/machine.bin")
      encoding = "b64"
    },
    {
      path    = "/opt/jupyter-clouds/unpack.py"
      content = file("${path.module}/templates/unpack.min")
    },
  ]

  miniforge_release = "https://github.com/conda-forge/miniforge/releases/download/25.3.0-3/Miniforge3-25.3.0-3-Linux"
  miniforge_sha256 = {
    aarch64 = "ac89f17b0eec4e98d38a53d1ae688e0f22c77d8ea5b5f008c2455e90ef095339"
    x86_64  = "1b57f8cb991982063f79b56176881093abb1dc76d73fda32102afde60585b5a1"
  }
  machine_architecture = local.arm64 ? "aarch64" : "x86_64"
  miniforge = {
    (local.machine_architecture) = {
      sha256 = coalesce(var.miniforge_sha256, local.miniforge_sha256[local.machine_architecture])
      url    = coalesce(var.miniforge_url, "${local.miniforge_release}-${local.machine_architecture}.sh")
    }
  }

  # Jupyter's ALGORITHM:SALT:HEX, where the digest is of the password and then the salt. 122 random
  # bits need no slow hash.
  generated_password = terraform_data.password.triggers_replace.password
  generated_salt     = substr(sha256(terraform_data.password.triggers_replace.salt), 0, 16)
  generated_hash     = "sha256:${local.generated_salt}:${sha256("${local.generated_password}${local.generated_salt}")}"

  # "sample" is known when a plan is made, and as long as "machine": its size is the one checked.
  user_data = {
    for name, late in {
      machine = { address = one(aws_eip.this[*].public_ip), data_volume = local.data_volume_told, password_hash = var.password_hash != null ? var.password_hash : local.generated_hash }
      sample  = { address = var.elastic_ip ? "203.0.113.255" : null, data_volume = local.data_volume_adopted ? "vol-0123456789abcdef0" : local.data_volume_told, password_hash = var.password_hash != null ? var.password_hash : "sha256:${substr(sha256("salt"), 0, 16)}:${sha256("sample")}" }
      } : name => base64gzip(templatefile("${path.module}/templates/cloud-init.yaml", {
        hostname       = var.name
        ssh_public_key = var.ssh_public_key == null ? null : trimspace(var.ssh_public_key)
        write_files = concat(local.programs, [
          {
            path    = "/etc/jupyter-clouds/environment.yml"
            content = local.environment
          },
          {
            path        = "/etc/jupyter-clouds/machine.json"
            content     = jsonencode(merge(local.settings, late, { services = local.services[name] }))
            permissions = "0600"
          },
          ], var.repository == null ? [] : [
          {
            path    = "/etc/jupyter-clouds/repository"
            content = var.repository
          },
          ], var.tls != "letsencrypt" ? [] : [
          {
            path = "/etc/jupyter-clouds/acme.json"
            content = jsonencode({
              ca        = var.acme_ca
              directory = var.acme_directory
              dns       = local.dns_challenge ? { endpoint = var.route53_endpoint, region = data.aws_region.this.id, zone = var.zone_id } : null
            })
          },
          ], var.bucket == null ? [] : [
          {
            path    = "/etc/jupyter-clouds/s3.json"
            content = jsonencode({ bucket = local.bucket_name, endpoint = var.services_endpoint, prefix = local.bucket_prefix, region = data.aws_region.this.id })
          },
        ])
    }))
  }
  user_data_limit = 16384
  # Compression may differ by some bytes between the two.
  user_data_size = floor(length(nonsensitive(local.user_data["sample"])) * 3 / 4) + 64

  # What is large, each compressed by itself, for the words of a refusal.
  user_data_parts = {
    for name, text in {
      environment    = local.environment
      programs       = join("", local.programs[*].content)
      ssh_public_key = var.ssh_public_key == null ? "" : var.ssh_public_key
    } : name => text == "" ? 0 : floor(length(base64gzip(text)) * 3 / 4)
  }
  user_data_large = local.user_data_parts.ssh_public_key > local.user_data_parts.environment ? "ssh_public_key" : "environment"
  user_data_advice = {
    environment    = "Shorten the environment file, or install from a file on the notebook later."
    ssh_public_key = "Give an ed25519 key, a tenth as long: ssh-keygen -t ed25519"
  }
  user_data_refused = "${local.user_data_large}: too large. The machine's user data would be ${local.user_data_size} bytes compressed, EC2 takes ${local.user_data_limit}: ${local.user_data_parts.programs} of this module's programs, ${local.user_data_parts.environment} of the environment file, ${local.user_data_parts.ssh_public_key} of the SSH key. ${local.user_data_advice[local.user_data_large]}"

  # Without comments, unless YAML would read it differently: in a block of text they are none.
  environment_given  = var.environment != null ? var.environment : file("${path.module}/templates/environment.yml")
  environment_terse  = replace(local.environment_given, "/(?m)^[ \\t]*#.*\\n|[ \\t]+#.*$/", "")
  environment_parsed = [for text in [local.environment_given, local.environment_terse] : try(jsonencode(yamldecode(text)), text)]
  environment        = local.environment_parsed[0] == local.environment_parsed[1] ? local.environment_terse : local.environment_given
  settings = {
    domain           = var.domain
    https            = var.https
    idle_minutes     = var.idle_minutes
    max_hours        = var.max_hours
    metadata_access  = var.metadata_access
    miniforge        = local.miniforge
    name             = var.name
    port             = 9999
    sudo             = var.sudo
    template_version = 1
  }
}

# Made once and kept, with no provider beside AWS's. In triggers_replace, which a plan never prints
# once it is marked sensitive (input would be repeated in output, unmarked).
resource "terraform_data" "password" {
  triggers_replace = sensitive({ password = uuid(), salt = uuid() })

  lifecycle {
    ignore_changes = [triggers_replace]
  }
}
