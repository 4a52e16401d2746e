output "prefix" {
  description = "What the queues' names begin with."
  value       = var.prefix
}

output "shard_arns" {
  description = "ARNs of the shards' queues, in the order of the shards."
  value       = [for shard in range(var.shards) : aws_sqs_queue.worked["shard-${shard}"].arn]
}

output "shard_names" {
  description = "Names of the shards' queues, in the order of the shards."
  value       = [for shard in range(var.shards) : aws_sqs_queue.worked["shard-${shard}"].name]
}

output "arns" {
  description = "ARNs of the other queues: webhooks, jobs, parked, dead."
  value = {
    webhooks = aws_sqs_queue.worked["webhooks"].arn
    jobs     = aws_sqs_queue.worked["jobs"].arn
    parked   = aws_sqs_queue.parked.arn
    dead     = aws_sqs_queue.dead.arn
  }
}

output "names" {
  description = "Names of the other queues."
  value = {
    webhooks = aws_sqs_queue.worked["webhooks"].name
    jobs     = aws_sqs_queue.worked["jobs"].name
    parked   = aws_sqs_queue.parked.name
    dead     = aws_sqs_queue.dead.name
  }
}
