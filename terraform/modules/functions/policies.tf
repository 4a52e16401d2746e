# What each function may do, and nothing else: actions on tables only for the partitions that it touches
# (shared/store/KEYS.md says who writes which), queues by name, the accounts' key only where secrets are opened.

locals {
  read  = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
  put   = ["dynamodb:DeleteItem", "dynamodb:PutItem"]
  write = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]

  # Beginnings of partition keys, as they are in shared/store/src/places.rs.
  partitions = {
    api = [
      { table = "business", actions = local.read, keys = ["A#*", "EMAIL#*", "TOKEN#*"] },
      { table = "business", actions = local.write, keys = ["A#*"] },
      # Tokens, with when they were last used; people's addresses; new accounts.
      { table = "business", actions = local.write, keys = ["TOKEN#*"] },
      { table = "business", actions = local.put, keys = ["ACCOUNTS", "EMAIL#*"] },
      { table = "engine", actions = local.read, keys = ["A#*", "GUESS#*", "LINK#*", "SETTINGS", "SIGNIN#*", "WEB#*"] },
      { table = "engine", actions = local.put, keys = ["LINK#*", "SHARD#*", "SIGNIN#*", "WEB#*", "WORK#*"] },
      { table = "engine", actions = local.write, keys = ["GUESS#*"] },
      # Commands to devices' hosts.
      { table = "engine", actions = ["dynamodb:PutItem"], keys = ["A#*#C#*"] },
      { table = "engine", actions = ["dynamodb:UpdateItem"], keys = ["SEQ#*"] },
      # What contacts are found by, and their counts.
      { table = "engine", actions = local.write, keys = ["A#*#K*"] },
      # Long work, noted with what begins it.
      { table = "engine", actions = local.put, keys = ["WORK#*"] },
    ]
    relay = [
      { table = "business", actions = local.read, keys = ["A#*"] },
      # Deliveries; consents, and the answers to those who opt out, which are messages like others.
      { table = "business", actions = local.write, keys = ["A#*"] },
      { table = "engine", actions = local.read, keys = ["A#*", "SETTINGS"] },
      { table = "engine", actions = local.write, keys = ["A#*", "DUE#*"] },
      { table = "engine", actions = ["dynamodb:UpdateItem"], keys = ["SEQ#*"] },
      # That a balance is low: remembered with it, and a letter to be written.
      { table = "business", actions = ["dynamodb:UpdateItem"], keys = ["A#*"] },
      { table = "engine", actions = ["dynamodb:PutItem"], keys = ["WORK#*"] },
      # The number of shards, should no host have stored it yet.
      { table = "engine", actions = ["dynamodb:PutItem"], keys = ["SETTINGS"] },
    ]
    counts = [
      { table = "engine", actions = ["dynamodb:GetItem"], keys = ["A#*"] },
      { table = "engine", actions = ["dynamodb:UpdateItem"], keys = ["A#*"] },
    ]
    webhooks = [
      { table = "business", actions = local.read, keys = ["A#*"] },
      { table = "business", actions = local.write, keys = ["A#*#W"] },
      # Switching an endpoint off.
      { table = "business", actions = ["dynamodb:UpdateItem"], keys = ["A#*"] },
      { table = "engine", actions = local.put, keys = ["DUE#*"] },
    ]
    jobs = [
      # The end of an account reaches into all that it has, and into the keys of its devices.
      { table = "business", actions = local.read, keys = ["A#*", "TOKEN#*"] },
      { table = "business", actions = local.write, keys = ["A#*"] },
      { table = "business", actions = ["dynamodb:DeleteItem"], keys = ["ACCOUNTS", "EMAIL#*", "TOKEN#*"] },
      # Campaigns: recipients and chunks; and the number of shards, to ring for devices.
      { table = "engine", actions = local.read, keys = ["A#*", "SEQ#*", "SETTINGS", "WORK#*"] },
      { table = "engine", actions = local.write, keys = ["A#*", "SEQ#*", "WORK#*"] },
      { table = "engine", actions = ["dynamodb:PutItem"], keys = ["SETTINGS"] },
      { table = "engine", actions = ["dynamodb:DeleteItem", "dynamodb:Query"], keys = ["D#*"] },
      { table = "engine", actions = ["dynamodb:DeleteItem"], keys = ["SHARD#*"] },
    ]
    timers = [
      { table = "business", actions = local.read, keys = ["A#*"] },
      { table = "business", actions = local.write, keys = ["A#*"] },
      { table = "engine", actions = local.read, keys = ["DUE#*", "SETTINGS", "SHARD#*", "WORK#*"] },
      # Entries whose delivery is gone.
      { table = "engine", actions = ["dynamodb:DeleteItem"], keys = ["DUE#*"] },
      { table = "engine", actions = ["dynamodb:PutItem"], keys = ["SETTINGS"] },
    ]
  }

  send    = ["sqs:GetQueueUrl", "sqs:SendMessage"]
  receive = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]

  queues = {
    api = [
      # For commands, and for long work that begins.
      { actions = local.send, arns = concat(var.queues.shards, [var.queues.jobs]) },
    ]
    relay = [
      { actions = local.send, arns = concat(var.queues.shards, [var.queues.webhooks, var.queues.parked]) },
      # What Lambda itself gives up.
      { actions = ["sqs:SendMessage"], arns = [var.queues.dead] },
    ]
    counts = [
      { actions = local.send, arns = [var.queues.parked] },
      { actions = ["sqs:SendMessage"], arns = [var.queues.dead] },
    ]
    webhooks = [
      { actions = local.send, arns = [var.queues.webhooks, var.queues.parked] },
      { actions = local.receive, arns = [var.queues.webhooks] },
    ]
    jobs = [
      # A step of work rings for the next one, and for devices.
      { actions = local.send, arns = concat(var.queues.shards, [var.queues.jobs, var.queues.parked]) },
      { actions = local.receive, arns = [var.queues.jobs] },
    ]
    timers = [
      { actions = local.send, arns = concat(var.queues.shards, [var.queues.jobs, var.queues.webhooks]) },
    ]
  }

  further = {
    # Whoever uses an address that it signs acts in its name.
    api = concat([
      local.unwrap,
      local.wrap,
      { actions = ["s3:GetObject", "s3:PutObject"], arns = ["${var.bucket_arn}/*"] },
      { actions = ["s3:ListBucket"], arns = [var.bucket_arn] },
    ], local.encrypted, local.mail)
    relay    = [local.stream]
    counts   = [local.stream]
    webhooks = [local.unwrap]
    jobs = concat([
      { actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"], arns = ["${var.bucket_arn}/*"] },
      # Without it what is not there would be forbidden.
      { actions = ["s3:ListBucket"], arns = [var.bucket_arn] },
    ], local.encrypted, local.mail)
    timers = []
  }

  stream = { actions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"], arns = [var.tables.stream] }

  # What is in the bucket is encrypted.
  encrypted = [{ actions = ["kms:Decrypt", "kms:GenerateDataKey"], arns = [var.data_key_arn] }]

  unwrap = { actions = ["kms:Decrypt"], arns = [var.accounts_key_arn] }
  # The data keys of accounts that people make themselves.
  wrap = { actions = ["kms:Encrypt"], arns = [var.accounts_key_arn] }
  # Letters, from verified identities alone.
  mail = length(var.mail_identities) == 0 ? [] : [{ actions = ["ses:SendEmail"], arns = var.mail_identities }]

  policies = {
    for function in keys(local.functions) : function => jsonencode({
      Version = "2012-10-17"
      Statement = concat(
        [
          for use in local.partitions[function] : {
            Effect    = "Allow"
            Action    = use.actions
            Resource  = [var.tables[use.table]]
            Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = use.keys } }
          }
        ],
        [
          for use in concat(local.queues[function], local.further[function]) : {
            Effect   = "Allow"
            Action   = use.actions
            Resource = use.arns
          }
        ],
        [{
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["${aws_cloudwatch_log_group.this[function].arn}:*"]
        }],
      )
    })
  }
}
