# A notebook for each person, from one map.

locals {
  people = {
    ada   = { instance_type = "t3.large", spot = true }
    grace = { instance_type = "r6i.large", spot = false }
  }
}

module "notebook" {
  source   = "../.."
  for_each = local.people

  instance_type = each.value.instance_type
  name          = each.key
  owner         = each.key
  spot          = each.value.spot
}

output "urls" {
  description = "Where each notebook answers."
  value       = { for name, notebook in module.notebook : name => notebook.url }
}

output "passwords" {
  description = "What each asks for."
  value       = { for name, notebook in module.notebook : name => notebook.password }
  sensitive   = true
}
