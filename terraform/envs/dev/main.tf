# A small installation that may be thrown away: for trying things on AWS, and, with `endpoint`, on an emulator.

terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

locals {
  emulated = var.endpoint != ""
}

provider "aws" {
  region                      = var.region
  access_key                  = local.emulated ? "test" : null
  secret_key                  = local.emulated ? "test" : null
  skip_credentials_validation = local.emulated
  skip_metadata_api_check     = local.emulated
  skip_requesting_account_id  = local.emulated
  s3_use_path_style           = local.emulated

  default_tags {
    tags = { Product = "hantar", Installation = var.name, ManagedBy = "terraform" }
  }

  dynamic "endpoints" {
    for_each = local.emulated ? [var.endpoint] : []
    content {
      apigatewayv2   = endpoints.value
      cloudwatch     = endpoints.value
      cloudwatchlogs = endpoints.value
      dynamodb       = endpoints.value
      ec2            = endpoints.value
      ecr            = endpoints.value
      ecs            = endpoints.value
      iam            = endpoints.value
      kms            = endpoints.value
      lambda         = endpoints.value
      s3             = endpoints.value
      s3control      = endpoints.value
      scheduler      = endpoints.value
      secretsmanager = endpoints.value
      sns            = endpoints.value
      sqs            = endpoints.value
      sts            = endpoints.value
    }
  }
}

module "hantar" {
  source = "../../modules/installation"

  name                = var.name
  shards              = 4
  architecture        = var.architecture
  lambda_zip_folder   = var.lambda_zip_folder
  requests_per_second = 50
  egress_allow        = var.egress_allow
  rate_limits         = var.rate_limits
  log_days            = 7
  log_filter          = var.log_filter
  traces              = var.traces
  worker              = var.worker
  mail                = var.mail
  disposable          = true
  endpoint            = var.endpoint

  host = {
    image            = var.host_image
    cpu              = 256
    memory           = 512
    min              = 1
    max              = 2
    devices_per_host = 200
  }
}
