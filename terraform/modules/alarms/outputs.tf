output "topic_arn" {
  description = "Where alarms are published."
  value       = aws_sns_topic.this.arn
}

output "pages" {
  description = "The runbook page of each alarm."
  value       = merge({ for name, alarm in local.alarms : name => alarm.page }, { for name in keys(local.missing) : name => name })
}
