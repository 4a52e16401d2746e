output "names" {
  description = "The functions' names."
  value       = { for name, function in aws_lambda_function.this : name => function.function_name }
}

output "arns" {
  description = "The functions' ARNs."
  value       = { for name, function in aws_lambda_function.this : name => function.arn }
}

output "api_invoke_arn" {
  description = "What an HTTP API calls."
  value       = aws_lambda_function.this["api"].invoke_arn
}

output "policies" {
  description = "The functions' policies, for checks."
  value       = local.policies
}
