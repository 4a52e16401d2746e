# The doorbells. Attributes are those of shared/queues/src/sqs.rs. Bodies hold ids only, so the encryption that SQS does
# itself is enough: a key of ours would cost a KMS call with every few requests and hide nothing more.

data "aws_caller_identity" "this" {}
data "aws_region" "this" {}
data "aws_partition" "this" {}

locals {
  # What is read again when it is not done: after 20 receives a job goes to the dead letters.
  worked   = concat([for shard in range(var.shards) : "shard-${shard}"], ["webhooks", "jobs"])
  arn      = "arn:${data.aws_partition.this.partition}:sqs:${data.aws_region.this.name}:${data.aws_caller_identity.this.account_id}:${var.prefix}"
  two_week = 14 * 24 * 3600
}

# For what was received too often.
resource "aws_sqs_queue" "dead" {
  name                       = "${var.prefix}-dead"
  visibility_timeout_seconds = 180
  message_retention_seconds  = local.two_week
  sqs_managed_sse_enabled    = true
  policy                     = local.policy["dead"]

  redrive_allow_policy = jsonencode({
    redrivePermission = length(local.worked) <= 10 ? "byQueue" : "allowAll"
    # AWS takes at most ten names here; with more shards, the whole account may.
    sourceQueueArns = length(local.worked) <= 10 ? [for name in local.worked : "${local.arn}-${name}"] : null
  })
}

# For what nobody could handle: a person reads it.
resource "aws_sqs_queue" "parked" {
  name                       = "${var.prefix}-parked"
  visibility_timeout_seconds = 180
  message_retention_seconds  = local.two_week
  sqs_managed_sse_enabled    = true
  policy                     = local.policy["parked"]
}

resource "aws_sqs_queue" "worked" {
  for_each = toset(local.worked)

  name                       = "${var.prefix}-${each.key}"
  visibility_timeout_seconds = 180
  message_retention_seconds  = local.two_week
  sqs_managed_sse_enabled    = true
  policy                     = local.policy[each.key]

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 20
  })
}

locals {
  # Within the queue and not as a resource of its own: the provider waits 25 s for each.
  policy = {
    for name in concat(local.worked, ["dead", "parked"]) : name => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = "${local.arn}-${name}"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    })
  }
}
