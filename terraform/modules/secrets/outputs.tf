output "data_key_arn" {
  description = "The key that encrypts what AWS stores."
  value       = aws_kms_key.data.arn
}

output "accounts_key_arn" {
  description = "The key that wraps accounts' data keys (HANTAR_KMS_KEY)."
  value       = aws_kms_key.accounts.arn
}

output "secret_arns" {
  description = "ARNs of the secrets, by name."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}
