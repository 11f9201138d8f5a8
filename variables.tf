variable "acme_ca" {
  description = "Of an authority of your own, with `tls = \"letsencrypt\"`: the certificate (PEM) that its directory is verified by."
  type        = string
  default     = null

  validation {
    condition     = var.acme_ca == null ? true : strcontains(var.acme_ca, "-----BEGIN CERTIFICATE-----")
    error_message = "acme_ca: a certificate as PEM, such as file(\"ca.pem\")."
  }
}

variable "acme_directory" {
  description = "Which authority `tls = \"letsencrypt\"` asks, by the address of its ACME directory: Let's Encrypt's own, its staging one, or one of yours."
  type        = string
  default     = "https://acme-v02.api.letsencrypt.org/directory"

  validation {
    condition     = startswith(var.acme_directory, "https://") && !can(regex("[[:space:]@]", var.acme_directory))
    error_message = "acme_directory: an address that begins with https://, with no user in it."
  }
}

variable "allow_world" {
  description = "Lets allowed_cidrs and ssh_cidrs hold the whole internet (or a range as good as that). The password is then all that stands before the notebook."
  type        = bool
  default     = false
  nullable    = false
}

variable "allowed_cidrs" {
  description = "Who may reach the notebook, as CIDR blocks of public addresses (yours: the address that https://checkip.amazonaws.com shows, with /32). Empty: nobody, until you say who."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.allowed_cidrs : can(cidrhost(cidr, 0))])
    error_message = "allowed_cidrs: not a CIDR block: ${join(", ", [for cidr in var.allowed_cidrs : cidr if !can(cidrhost(cidr, 0))])}. Write one address as 203.0.113.7/32."
  }

  validation {
    condition     = var.allow_world || length([for cidr in var.allowed_cidrs : cidr if try(tonumber(split("/", cidr)[1]) < (strcontains(cidr, ":") ? 16 : 8), false)]) == 0
    error_message = "allowed_cidrs: ${join(", ", [for cidr in var.allowed_cidrs : cidr if try(tonumber(split("/", cidr)[1]) < (strcontains(cidr, ":") ? 16 : 8), false)])} is the whole internet or as good as that. Name your own address (203.0.113.7/32), or set allow_world = true if you mean it."
  }

  validation {
    condition     = length([for cidr in var.allowed_cidrs : cidr if anytrue([for range in local.reserved_ranges : try(cidrhost("${split("/", cidr)[0]}/${range.bits}", 0) == range.network && tonumber(split("/", cidr)[1]) >= range.bits, false)])]) == 0
    error_message = "allowed_cidrs: ${join(", ", [for cidr in var.allowed_cidrs : cidr if anytrue([for range in local.reserved_ranges : try(cidrhost("${split("/", cidr)[0]}/${range.bits}", 0) == range.network && tonumber(split("/", cidr)[1]) >= range.bits, false)])])} is private: nobody arrives at the notebook's public address from there. Yours as the internet sees it: https://checkip.amazonaws.com"
  }
}

variable "ami_id" {
  description = "Image to start from (Ubuntu 24.04, Debian 12 or 13, of the instance type's architecture). Default: Canonical's newest Ubuntu 24.04 LTS; for NVIDIA GPUs (g4dn, g5, p4 and newer) AWS's Deep Learning Base image of it, which has the driver. Taken when the machine is made; for a running one, raise generation too."
  type        = string
  default     = null

  validation {
    condition     = var.ami_id == null || can(regex("^ami-[0-9a-f]{8,17}$", var.ami_id))
    error_message = "ami_id: an image's id looks like ami-0123456789abcdef0."
  }
}

variable "bucket" {
  description = "An S3 bucket of yours that the machine may use, as NAME, or NAME/PREFIX for what is below that alone: it gets a role for it, and the work folder a folder `s3` that shows it. Taken when the machine is made."
  type        = string
  default     = null

  validation {
    condition     = var.bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_=@+-][A-Za-z0-9_.=@+-]*)*$", var.bucket))
    error_message = "bucket: NAME or NAME/PREFIX (letters, digits and _.=@+-), with no s3:// before and no slash after it."
  }
}

variable "data_snapshot_id" {
  description = "EBS snapshot that the data volume starts from. Taken when the volume is made; a later change does nothing."
  type        = string
  default     = null

  validation {
    condition     = var.data_snapshot_id == null || can(regex("^snap-[0-9a-f]{8,17}$", var.data_snapshot_id))
    error_message = "data_snapshot_id: a snapshot's id looks like snap-0123456789abcdef0."
  }

  validation {
    condition     = var.data_snapshot_id == null || (var.data_volume_size != null && var.data_volume_size != 0)
    error_message = "data_snapshot_id: it is a new volume that starts from a snapshot. Give data_volume_size, at least the snapshot's."
  }
}

variable "data_volume_id" {
  description = "Volume of your own for the work folder, in place of a new one. It is attached and never deleted; its zone decides the subnet. For one made in the same apply, set data_volume_size = null too."
  type        = string
  default     = null

  validation {
    condition     = var.data_volume_id == null || can(regex("^vol-[0-9a-f]{8,17}$", var.data_volume_id))
    error_message = "data_volume_id: a volume's id looks like vol-0123456789abcdef0."
  }

  validation {
    condition     = var.data_volume_id == null || var.data_snapshot_id == null
    error_message = "data_volume_id and data_snapshot_id: a volume that exists cannot start from a snapshot. Give one of them."
  }
}

variable "data_volume_size" {
  description = "Size in GiB of the encrypted volume that holds the work folder and the settings, and outlives machines. It can grow, not shrink. 0: none, all is on the machine's own disk. null: it is the volume of data_volume_id."
  type        = number
  default     = 50

  validation {
    condition     = var.data_volume_size == null ? true : var.data_volume_size >= 0 && var.data_volume_size <= 16384 && floor(var.data_volume_size) == var.data_volume_size
    error_message = "data_volume_size: a whole number of GiB from 1 to 16384, or 0 for none."
  }
}

variable "domain" {
  description = "Name that the notebook is to be reached by, also in its certificate. You point it at public_ip yourself, or give zone_id."
  type        = string
  default     = null

  validation {
    condition     = var.domain == null || can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$", var.domain))
    error_message = "domain: a full domain name in lower case, such as notebook.example.org."
  }
}

variable "elastic_ip" {
  description = "A fixed address, kept when the machine stops or is replaced. false for accounts at their limit of five: the address then changes with every start."
  type        = bool
  default     = true
  nullable    = false
}

variable "environment" {
  description = "Contents of the environment.yml that becomes the default kernel: file(\"environment.yml\"). Default: templates/environment.yml of this module. Taken when the machine is made; for a running one, raise generation too."
  type        = string
  default     = null

  validation {
    condition     = var.environment == null || can(yamldecode(var.environment))
    error_message = "environment: not YAML. Give the contents of an environment.yml, not its path: file(\"environment.yml\")."
  }

  validation {
    condition     = var.environment == null || !can(yamldecode(var.environment)) || try(length(yamldecode(var.environment).dependencies) > 0, false)
    error_message = "environment: no dependencies. Give the contents of an environment.yml (not its path), with a list of at least one package under dependencies. A lock file goes to a running machine: python -m wrapper env update conda-lock.yml"
  }

  # User data is no secret: whoever may describe the machine reads it. As wrapper/environment_secrets.py.
  validation {
    condition     = var.environment == null || !can(regex("://[^/\\s]*@", var.environment))
    error_message = "environment: a user or a password in an address. User data can be read by whoever may describe the machine. Install that package on the running machine: python -m wrapper env update FILE, or with pip in a terminal."
  }

  validation {
    condition     = var.environment == null || !can(regex("(?m)^[^#\n]*://[^\\s#]+/t/[A-Za-z0-9][A-Za-z0-9-]*", var.environment))
    error_message = "environment: a token in a channel's address (/t/...). User data can be read by whoever may describe the machine. Install from that channel on the running machine: python -m wrapper env update FILE, or with conda in a terminal."
  }

  validation {
    condition     = !anytrue([for name, value in try(yamldecode(var.environment).variables, {}) : can(regex("(?i)token|passw|secret|api_?key|access_?key|credential", name)) && value != null && value != ""])
    error_message = "environment: a secret under variables. User data can be read by whoever may describe the machine. Set it in the notebook."
  }
}

variable "generation" {
  description = "Raise it to replace the machine: newest image, this version's set-up, this environment. Nothing else does so by itself. What is on the old machine's disk is gone."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.generation >= 1 && floor(var.generation) == var.generation
    error_message = "generation: a whole number from 1."
  }
}

variable "https" {
  description = "Opens port 443 beside 9999 (the machine redirects it): many networks let nothing else out."
  type        = bool
  default     = true
  nullable    = false
}

variable "idle_minutes" {
  description = "Minutes without a running cell, a job or input in a terminal, or work of processor or GPU, after which the machine saves all and stops by itself; JupyterLab asks before. 0: never. Taken when the machine is made; for a running one: jupyter-clouds up --idle."
  type        = number
  default     = 45
  nullable    = false

  validation {
    condition     = var.idle_minutes == 0 || (var.idle_minutes >= 1 && var.idle_minutes <= 44640)
    error_message = "idle_minutes: from 1 to 44640 (a month), or 0 for never."
  }
}

variable "instance_type" {
  description = "EC2 instance type, x86 or Graviton. For a running spot machine another type means another machine."
  type        = string
  default     = "t3.large"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", var.instance_type))
    error_message = "instance_type: looks like t3.large."
  }
}

variable "max_hours" {
  description = "Hours that the machine runs, whatever it does, from its first start or from one that you asked for; then it saves all and stops by itself. 0: no limit. Taken when the machine is made; for a running one: jupyter-clouds extend, or up --hours."
  type        = number
  default     = 12
  nullable    = false

  validation {
    condition     = var.max_hours == 0 || (var.max_hours >= 0.1 && var.max_hours <= 720)
    error_message = "max_hours: from 0.1 to 720 (a month), or 0 for no limit."
  }
}

variable "metadata_access" {
  description = "Lets the notebook's user reach the instance metadata, and so the credentials of a role that you give the machine."
  type        = bool
  default     = false
  nullable    = false
}

variable "miniforge_sha256" {
  description = "SHA-256 of the installer at miniforge_url; a mismatch stops the boot."
  type        = string
  default     = null

  validation {
    condition     = var.miniforge_sha256 == null || can(regex("^[0-9a-f]{64}$", var.miniforge_sha256))
    error_message = "miniforge_sha256: 64 hexadecimal digits in lower case, as sha256sum prints them."
  }

  validation {
    condition     = (var.miniforge_sha256 == null) == (var.miniforge_url == null)
    error_message = "miniforge_sha256 and miniforge_url go together: an installer is never run unchecked."
  }
}

variable "miniforge_url" {
  description = "Where the machine fetches the Miniforge installer of its architecture, for mirrors and air-gapped networks. Default: the pinned release on GitHub."
  type        = string
  default     = null

  validation {
    condition     = var.miniforge_url == null || can(regex("^https?://[^[:space:]]+$", var.miniforge_url))
    error_message = "miniforge_url: a URL that begins with https:// or http:// (the checksum is what makes it safe)."
  }
}

variable "name" {
  description = "Name of the deployment: in every tag, and the machine's host name."
  type        = string
  default     = "notebook"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$", var.name))
    error_message = "name: 1 to 32 lower-case letters, digits and hyphens, beginning with a letter, not ending with a hyphen."
  }
}

variable "on_interruption" {
  description = "What EC2 does with a spot machine that it needs back: stop (the disk stays, EC2 starts it again in place), hibernate (the memory too, for types that can and an `ami_id` that can: the default, Ubuntu 24.04, is not in AWS's list), or terminate."
  type        = string
  default     = "stop"
  nullable    = false

  validation {
    condition     = contains(["stop", "hibernate", "terminate"], var.on_interruption)
    error_message = "on_interruption: stop, hibernate or terminate."
  }
}

variable "owner" {
  description = "Whose it is, for the tag jupyter-clouds:owner."
  type        = string
  default     = null

  validation {
    condition     = var.owner == null || can(regex("^[\\pL\\pN _.:/=+@-]{1,256}$", var.owner))
    error_message = "owner: a tag's value, up to 256 letters, digits, spaces and _.:/=+-@"
  }
}

variable "password_hash" {
  description = "Hash of the password, as jupyter_server.auth.passwd prints it (argon2:..., or sha512:SALT:HEX and the like). Default: a password made here; terraform output -raw password. Taken when the machine is made; for a running one: jupyter-clouds password --new."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition = var.password_hash == null || anytrue([
      for format in local.password_hash_formats : can(regex(format, var.password_hash))
    ])
    error_message = "password_hash: in no known format. Make one with: python -c 'from jupyter_server.auth import passwd; print(passwd())'"
  }
}

variable "repository" {
  description = "A git repository that is cloned into the work folder, as https://HOST/PATH, with @BRANCH after it for another branch or tag than the default. One that everybody may read: user data is no place for credentials. Taken when the machine is made."
  type        = string
  default     = null

  validation {
    condition     = var.repository == null || can(regex("^https://[^/@?#[:space:]]+(/[A-Za-z0-9._~-]+)+/?(@[A-Za-z0-9._/-]+)?$", var.repository))
    error_message = "repository: https://HOST/PATH or https://HOST/PATH@BRANCH, with no user, password or token in it."
  }
}

variable "root_volume_size" {
  description = "Size of the machine's encrypted disk in GiB: 30, or 125 with a GPU, whose image is larger. For a running spot machine another size means another machine."
  type        = number
  default     = null

  validation {
    condition     = var.root_volume_size == null ? true : var.root_volume_size >= 10 && var.root_volume_size <= 16384 && floor(var.root_volume_size) == var.root_volume_size
    error_message = "root_volume_size: a whole number of GiB from 10 to 16384."
  }
}

variable "route53_endpoint" {
  description = "Where the machine finds Route 53 (with `zone_id` and `tls = \"letsencrypt\"`), if not at AWS's own address: another Route 53. Taken when the machine is made."
  type        = string
  default     = null

  validation {
    condition     = var.route53_endpoint == null || can(regex("^https?://[^/?#[:space:]]+/?$", var.route53_endpoint))
    error_message = "route53_endpoint: a URL of a host alone, https://... (or http://: requests are signed)."
  }
}

variable "services_endpoint" {
  description = "Where the machine finds S3, if not at AWS's own address of the region: a VPC interface endpoint (https://bucket.vpce-....vpce.amazonaws.com), or another S3. Taken when the machine is made."
  type        = string
  default     = null

  validation {
    condition     = var.services_endpoint == null || can(regex("^https?://[^/?#[:space:]]+/?$", var.services_endpoint))
    error_message = "services_endpoint: a URL of a host alone, https://... (or http://: the checksum is what makes it safe)."
  }
}

variable "services_url" {
  description = "Where the machine fetches templates/services as one JSON text, for mirrors, air-gapped networks and accounts without S3: no bucket is made then. The text is what python -m scripts.services prints, and is still checked. Default: a private bucket. Taken when the machine is made."
  type        = string
  default     = null

  validation {
    condition     = var.services_url == null || can(regex("^https?://[^[:space:]]+$", var.services_url))
    error_message = "services_url: a URL that begins with https:// or http:// (the checksum is what makes it safe)."
  }
}

variable "session_manager" {
  description = "Lets AWS's Session Manager carry SSH to the machine, with no port open: its role may speak to Systems Manager. The image has to have the SSM agent, as Ubuntu's have."
  type        = bool
  default     = false
  nullable    = false
}

variable "spot" {
  description = "A spot machine: about a third of the price, and EC2 may take it back with two minutes' notice. Changing it replaces the machine; address and rules stay."
  type        = bool
  default     = false
  nullable    = false
}

variable "ssh_cidrs" {
  description = "Who may use SSH, as CIDR blocks. Empty: port 22 stays closed."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.ssh_cidrs : can(cidrhost(cidr, 0))])
    error_message = "ssh_cidrs: not a CIDR block: ${join(", ", [for cidr in var.ssh_cidrs : cidr if !can(cidrhost(cidr, 0))])}. Write one address as 203.0.113.7/32."
  }

  validation {
    condition     = var.allow_world || length([for cidr in var.ssh_cidrs : cidr if try(tonumber(split("/", cidr)[1]) < (strcontains(cidr, ":") ? 16 : 8), false)]) == 0
    error_message = "ssh_cidrs: ${join(", ", [for cidr in var.ssh_cidrs : cidr if try(tonumber(split("/", cidr)[1]) < (strcontains(cidr, ":") ? 16 : 8), false)])} is the whole internet or as good as that. Name your own address (203.0.113.7/32), or set allow_world = true if you mean it."
  }

  validation {
    condition     = length([for cidr in var.ssh_cidrs : cidr if anytrue([for range in local.reserved_ranges : try(cidrhost("${split("/", cidr)[0]}/${range.bits}", 0) == range.network && tonumber(split("/", cidr)[1]) >= range.bits, false)])]) == 0
    error_message = "ssh_cidrs: ${join(", ", [for cidr in var.ssh_cidrs : cidr if anytrue([for range in local.reserved_ranges : try(cidrhost("${split("/", cidr)[0]}/${range.bits}", 0) == range.network && tonumber(split("/", cidr)[1]) >= range.bits, false)])])} is private: nobody arrives at the machine's public address from there. Yours as the internet sees it: https://checkip.amazonaws.com"
  }

  validation {
    condition     = length(var.ssh_cidrs) == 0 || var.ssh_public_key != null
    error_message = "ssh_cidrs: give ssh_public_key too, or nobody can log in."
  }
}

variable "ssh_public_key" {
  description = "Public key for SSH, one line as in ~/.ssh/id_ed25519.pub. Port 22 is opened by ssh_cidrs."
  type        = string
  default     = null

  validation {
    condition     = var.ssh_public_key == null || can(regex("^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\\.com) AAAA[0-9A-Za-z+/]+={0,3}( [^\\n]*)?\\n?$", var.ssh_public_key))
    error_message = "ssh_public_key: one line as in ~/.ssh/id_ed25519.pub (ssh-ed25519 AAAA... comment), not a path and not the private key."
  }
}

variable "subnet_id" {
  description = "Public subnet for the machine, also one made in the same apply. Default: a subnet of the default VPC in a zone that offers the type. Another one means another machine."
  type        = string
  default     = null

  validation {
    condition     = var.subnet_id == null || can(regex("^subnet-[0-9a-f]{8,17}$", var.subnet_id))
    error_message = "subnet_id: a subnet's id looks like subnet-0123456789abcdef0."
  }
}

variable "sudo" {
  description = "Gives the notebook's user sudo without a password."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Further tags for everything that is made."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.tags) : key != "Name" && !startswith(key, "jupyter-clouds:") && !startswith(key, "aws:")])
    error_message = "tags: Name and keys beginning with jupyter-clouds: or aws: are taken."
  }
}

variable "tls" {
  description = "`self-signed`: the machine's own certificate, whose key's fingerprint its console shows. `letsencrypt`: in its place, as soon as there is one, a certificate that browsers trust, of the same key: for the address and `domain`, by port 80, which is then open to the world and where something answers only while the authority looks; with `zone_id` for `domain` alone, by a record that the machine's role may write, with no port. Your agreement to its terms. Taken when the machine is made."
  type        = string
  default     = "self-signed"

  validation {
    condition     = contains(["self-signed", "letsencrypt"], var.tls)
    error_message = "tls: self-signed or letsencrypt."
  }
}

variable "zone_id" {
  description = "Public hosted zone of Route 53 that `domain` is in: its record is made here, of the Elastic IP. With `tls = \"letsencrypt\"` the machine also has the right to write `_acme-challenge.` of it there, by which the certificate comes; this is taken when the machine is made."
  type        = string
  default     = null

  validation {
    condition     = var.zone_id == null || can(regex("^[0-9A-Z]{4,32}$", var.zone_id))
    error_message = "zone_id: a hosted zone's id looks like Z0123456789ABCDEFGHIJ. Yours: aws route53 list-hosted-zones"
  }

  validation {
    condition     = var.zone_id == null || var.domain != null
    error_message = "zone_id: give domain too, the name whose record is to be made in it."
  }

  validation {
    condition     = var.zone_id == null || var.elastic_ip
    error_message = "zone_id: the record is of the Elastic IP; elastic_ip = false has an address that changes with every start."
  }
}
