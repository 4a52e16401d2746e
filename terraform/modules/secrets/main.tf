# Two keys. `data` encrypts what AWS stores for us; whoever may use the table or bucket uses it through that service.
# `accounts` wraps the accounts' data keys, by calls of our own; only those named in an identity's policy may use it, so that
# reading the tables is not enough to read what is sealed in them.

data "aws_caller_identity" "this" {}
data "aws_region" "this" {}
data "aws_partition" "this" {}

locals {
  account  = data.aws_caller_identity.this.account_id
  region   = data.aws_region.this.name
  root     = "arn:${data.aws_partition.this.partition}:iam::${local.account}:root"
  services = ["dynamodb", "s3", "secretsmanager", "sns"]

  administration = {
    Sid       = "Administration"
    Effect    = "Allow"
    Principal = { AWS = local.root }
    Action = [
      "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:DisableKey",
      "kms:DisableKeyRotation", "kms:EnableKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus", "kms:ListAliases", "kms:ListGrants", "kms:ListKeyRotations",
      "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:RotateKeyOnDemand", "kms:ScheduleKeyDeletion",
      "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
    ]
    Resource = "*"
  }
}

resource "aws_kms_key" "data" {
  description             = "${var.name}: tables, buckets, logs, secrets"
  enable_key_rotation     = true
  deletion_window_in_days = var.disposable ? 7 : 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.administration,
      {
        Sid       = "ThroughServices"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action    = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = {
          StringEquals = {
            "kms:CallerAccount" = local.account
            "kms:ViaService"    = [for service in local.services : "${service}.${local.region}.amazonaws.com"]
          }
        }
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = "arn:${data.aws_partition.this.partition}:logs:${local.region}:${local.account}:log-group:*"
          }
        }
      },
      {
        # Alarms are published to an encrypted topic.
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
    ]
  })
}

resource "aws_kms_alias" "data" {
  name          = "alias/${var.name}-data"
  target_key_id = aws_kms_key.data.key_id
}

resource "aws_kms_key" "accounts" {
  description             = "${var.name}: wraps the accounts' data keys"
  enable_key_rotation     = true
  deletion_window_in_days = var.disposable ? 7 : 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.administration,
      {
        # Identities get it by their own policies: functions and hosts to unwrap, operators to wrap.
        Sid       = "ByIdentityPolicies"
        Effect    = "Allow"
        Principal = { AWS = local.root }
        Action    = ["kms:Decrypt", "kms:Encrypt"]
        Resource  = "*"
      },
    ]
  })
}

resource "aws_kms_alias" "accounts" {
  name          = "alias/${var.name}-accounts"
  target_key_id = aws_kms_key.accounts.key_id
}

# The entry only. `aws secretsmanager put-secret-value` gives it its value, which so never comes near the state.
resource "aws_secretsmanager_secret" "this" {
  for_each = var.entries

  name                    = "${var.name}/${each.key}"
  description             = each.value
  kms_key_id              = aws_kms_key.data.arn
  recovery_window_in_days = var.disposable ? 0 : 30
}
