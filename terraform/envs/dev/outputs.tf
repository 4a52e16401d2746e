output "api_id" {
  description = "The HTTP API's id."
  value       = module.hantar.api_id
}

output "api_url" {
  description = "The address that callers are to use."
  value       = module.hantar.api_url
}

output "environment" {
  description = "The variables for `hantar --aws`."
  value       = module.hantar.environment
}

output "worker_vars" {
  description = "The variables of a Cloudflare Worker."
  value       = module.hantar.worker_vars
}

output "functions" {
  description = "The functions' names."
  value       = module.hantar.functions
}

output "queues" {
  description = "The queues' names."
  value       = module.hantar.queues
}

output "bucket" {
  description = "The bucket's name."
  value       = module.hantar.bucket
}

output "image_repository" {
  description = "Where to push the device host's image."
  value       = module.hantar.image_repository
}

output "operator_policy" {
  description = "The policy to attach to operators' roles."
  value       = module.hantar.operator_policy
}
