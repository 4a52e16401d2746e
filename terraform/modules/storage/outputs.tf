output "buckets" {
  description = "The buckets' names, by kind."
  value       = { for kind, bucket in aws_s3_bucket.this : kind => bucket.id }
}

output "arns" {
  description = "The buckets' ARNs, by kind."
  value       = { for kind, bucket in aws_s3_bucket.this : kind => bucket.arn }
}
