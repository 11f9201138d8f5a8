# A notebook in another region than the rest: the module has no provider block of its own.

provider "aws" {
  region = "us-east-1"
}

provider "aws" {
  alias  = "tokyo"
  region = "ap-northeast-1"
}

module "notebook" {
  source = "../.."

  spot = true

  providers = {
    aws = aws.tokyo
  }
}

output "region" {
  description = "Where the notebook is."
  value       = module.notebook.region
}
