output "ami_id" {
  description = "Image that the machine was started from."
  value       = local.machine_ami
}

output "availability_zone" {
  description = "Zone of the machine."
  value       = local.placement.availability_zone
}

output "data_volume_id" {
  description = "Volume that holds the work folder; null where that is on the machine's own disk."
  value       = local.data_volume_id
}

output "data_volume_managed" {
  description = "Whether the data volume is made and deleted here; false for one of your own, or none."
  value       = local.data_volume_managed
}

output "deployment" {
  description = "Name of the deployment, as in the tag jupyter-clouds:deployment."
  value       = var.name
}

output "instance_id" {
  description = "Id of the machine."
  value       = local.machine_id
}

output "instance_profile" {
  description = "Instance profile that the machine's role comes by; null where it has none."
  value       = local.machine.profile
}

output "instance_type" {
  description = "Type of the machine."
  value       = var.instance_type
}

output "market" {
  description = "spot or on-demand."
  value       = var.spot ? "spot" : "on-demand"
}

output "password" {
  description = "Password of the notebook, if it was made here: terraform output -raw password."
  value       = nonsensitive(var.password_hash == null) ? local.generated_password : null
  sensitive   = true
}

output "public_ip" {
  description = "Public address of the machine."
  value       = local.public_ip
}

output "region" {
  description = "Region of the machine."
  value       = data.aws_region.this.id
}

output "security_group_id" {
  description = "Security group of the machine, for rules of your own."
  value       = aws_security_group.this.id
}

output "spot_request_id" {
  description = "Spot request behind the machine; null on demand."
  value       = local.spot_request_id
}

output "url" {
  description = "Where the notebook answers, some minutes after the machine's start."
  value       = "https://${coalesce(var.domain, local.public_ip)}:9999/"
}

output "verify_command" {
  description = "Prints the certificate's fingerprint from the machine's console, to compare with what the browser shows."
  value       = "aws ec2 get-console-output --latest --region ${data.aws_region.this.id} --instance-id ${local.machine_id} --query Output --output text | grep 'jupyter-clouds: fingerprint'"
}
