# The real thing: protected from deletion, on arm64, with its state in S3.

terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  # terraform init -backend-config=bucket=… -backend-config=key=hantar/prod -backend-config=region=…
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { Product = "hantar", Installation = var.name, ManagedBy = "terraform" }
  }
}

module "hantar" {
  source = "../../modules/installation"

  name                = var.name
  shards              = 64
  architecture        = "arm64"
  lambda_zip_folder   = var.lambda_zip_folder
  requests_per_second = var.requests_per_second
  domain              = var.domain
  cloudfront          = var.cloudfront
  traces              = var.traces
  worker              = var.worker
  mail                = var.mail
  log_days            = 30
  alarm_emails        = var.alarm_emails
  runbooks            = var.runbooks
  disposable          = false

  host = {
    image            = var.host_image
    cpu              = 512
    memory           = 1024
    min              = 2
    max              = var.hosts_max
    devices_per_host = 1500
  }
}
