output "api_id" {
  description = "The HTTP API's id."
  value       = module.edge.api_id
}

output "api_url" {
  description = "The address that callers are to use."
  value       = module.edge.public_url
}

output "domain_target" {
  description = "Where an own domain's name is to point."
  value       = module.edge.domain_target
}

output "environment" {
  description = "The variables that lead a process to this installation, for `hantar --aws` and for hosts outside the fleet."
  value       = local.environment
}

output "worker_vars" {
  description = "For wrangler.toml: the variables of a Worker that serves this installation."
  value = {
    HANTAR_AWS_API_URL    = module.edge.public_url
    HANTAR_AWS_REGION     = data.aws_region.this.name
    HANTAR_BUCKET         = module.storage.bucket
    HANTAR_BUSINESS_TABLE = module.business.name
    HANTAR_ENGINE_TABLE   = module.engine.name
    HANTAR_QUEUE_PREFIX   = module.queues.prefix
    HANTAR_SHARDS         = tostring(var.shards)
  }
}

output "functions" {
  description = "The functions' names."
  value       = module.functions.names
}

output "queues" {
  description = "Names of the queues."
  value       = merge(module.queues.names, { for shard, name in module.queues.shard_names : "shard-${shard}" => name })
}

output "stream_arn" {
  description = "The business table's stream."
  value       = module.business.stream_arn
}

output "bucket" {
  description = "The bucket's name."
  value       = module.storage.bucket
}

output "image_repository" {
  description = "Where to push the device host's image."
  value       = module.device_host.repository_url
}

output "operator_policy" {
  description = "The policy for operators."
  value       = aws_iam_policy.operator.arn
}

output "policies" {
  description = "All identity policies, for checks."
  value       = merge(module.functions.policies, { for role, policy in module.device_host.policies : "host-${role}" => policy }, local.policies)
}

output "alarm_pages" {
  description = "The runbook page of each alarm."
  value       = module.alarms.pages
}

data "aws_region" "this" {}
