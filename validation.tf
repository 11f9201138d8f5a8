# What the validations of variables.tf look at. Constants only: a validation may not depend on its
# own variable through a local.

locals {
  password_hash_formats = concat(
    ["^argon2:\\$argon2(id|i|d)\\$v=[0-9]+\\$m=[0-9]+,t=[0-9]+,p=[0-9]+\\$[0-9A-Za-z+/]{11,}\\$[0-9A-Za-z+/]{16,}$"],
    [for algorithm, digits in { sha1 = 40, sha224 = 56, sha256 = 64, sha384 = 96, sha512 = 128, sha3_224 = 56, sha3_256 = 64, sha3_384 = 96, sha3_512 = 128, blake2b = 128, blake2s = 64 } : "^${algorithm}:[^:]+:[0-9a-f]{${digits}}$"],
  )

  # Nobody comes from there over the internet.
  # https://www.iana.org/assignments/iana-ipv4-special-registry
  reserved_ranges = [
    { network = "0.0.0.0", bits = 8 },
    { network = "10.0.0.0", bits = 8 },
    { network = "100.64.0.0", bits = 10 },
    { network = "127.0.0.0", bits = 8 },
    { network = "169.254.0.0", bits = 16 },
    { network = "172.16.0.0", bits = 12 },
    { network = "192.168.0.0", bits = 16 },
    { network = "224.0.0.0", bits = 3 },
    # All but 2000::/3, https://www.iana.org/assignments/ipv6-address-space
    { network = "::", bits = 3 },
    { network = "4000::", bits = 2 },
    { network = "8000::", bits = 1 },
  ]
}
