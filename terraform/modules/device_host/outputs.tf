output "cluster" {
  description = "The ECS cluster's name."
  value       = aws_ecs_cluster.this.name
}

output "service" {
  description = "The ECS service's name."
  value       = aws_ecs_service.this.name
}

output "repository_url" {
  description = "Where to push the image."
  value       = aws_ecr_repository.this.repository_url
}

output "log_group" {
  description = "The hosts' log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "namespace" {
  description = "Where metrics made from logs are."
  value       = local.namespace
}

output "policies" {
  description = "The roles' policies, for checks."
  value       = { task = local.policy, execution = local.starting_policy }
}
