# The notebook as one part of a larger configuration: its own packages, its own tags, and a security
# group rule that lets it into a database.

module "notebook" {
  source = "../.."

  environment   = file("${path.module}/environment.yml")
  instance_type = "t4g.large"
  name          = "analysis"
  owner         = "data-team"
  tags          = { "cost-center" = "research" }
}

resource "aws_security_group" "database" {
  name_prefix = "database-"
  description = "A database that the notebook reads from"
}

resource "aws_vpc_security_group_ingress_rule" "notebook" {
  security_group_id            = aws_security_group.database.id
  description                  = "The notebook"
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  referenced_security_group_id = module.notebook.security_group_id
}

output "url" {
  description = "Where the notebook answers."
  value       = module.notebook.url
}
