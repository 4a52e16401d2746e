output "api_id" {
  description = "The HTTP API's id."
  value       = aws_apigatewayv2_api.this.id
}

output "endpoint" {
  description = "The HTTP API's own address."
  value       = aws_apigatewayv2_api.this.api_endpoint
}

output "public_url" {
  description = "The address that callers are to use."
  value = (
    try(length(var.cloudfront.aliases), 0) > 0 ? "https://${var.cloudfront.aliases[0]}"
    : var.domain != null ? "https://${var.domain.name}"
    : aws_apigatewayv2_api.this.api_endpoint
  )
}

output "domain_target" {
  description = "Where the own domain's name is to point; null without one."
  value       = var.domain == null ? null : aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].target_domain_name
}

output "cloudfront_domain" {
  description = "The distribution's own name; null without one."
  value       = var.cloudfront == null ? null : aws_cloudfront_distribution.this[0].domain_name
}
