# A spot notebook, reachable from one address. The region comes from AWS_REGION or ~/.aws/config.
#
#   terraform init
#   terraform apply -var 'allowed_cidrs=["203.0.113.7/32"]'   # yours: https://checkip.amazonaws.com
#   terraform output -raw password

variable "allowed_cidrs" {
  description = "Who may reach the notebook."
  type        = list(string)
  default     = []
}

module "notebook" {
  source = "../.."

  allowed_cidrs = var.allowed_cidrs
  spot          = true
}

output "url" {
  description = "Where the notebook answers, some minutes after the apply."
  value       = module.notebook.url
}

output "password" {
  description = "What it asks for."
  value       = module.notebook.password
  sensitive   = true
}

output "verify_command" {
  description = "Prints the fingerprint that the browser's certificate must have."
  value       = module.notebook.verify_command
}
