# Who acts from outside: operators with `hantar --aws …`, and a Cloudflare Worker that serves the same API.

locals {
  read  = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
  put   = ["dynamodb:DeleteItem", "dynamodb:PutItem"]
  write = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
  arns  = { business = module.business.arn, engine = module.engine.arn }

  partitions = {
    operator = [
      { table = "business", actions = local.read, keys = ["A#*", "ACCOUNTS", "EMAIL#*", "TOKEN#*"] },
      { table = "business", actions = local.write, keys = ["A#*", "ACCOUNTS", "EMAIL#*", "TOKEN#*"] },
      { table = "engine", actions = local.read, keys = ["A#*", "SETTINGS", "SHARD#*"] },
      { table = "engine", actions = local.put, keys = ["SETTINGS", "SHARD#*", "SIGNIN#*"] },
      { table = "engine", actions = ["dynamodb:UpdateItem"], keys = ["SEQ#*"] },
    ]
    # What the function `api` may do, without unwrapping keys: that it passes on.
    worker = [
      { table = "business", actions = local.read, keys = ["A#*", "EMAIL#*", "TOKEN#*"] },
      { table = "business", actions = local.write, keys = ["A#*"] },
      { table = "business", actions = local.write, keys = ["TOKEN#*"] },
      # Of a person who is removed.
      { table = "business", actions = ["dynamodb:DeleteItem"], keys = ["EMAIL#*"] },
      { table = "engine", actions = local.read, keys = ["A#*", "SETTINGS", "SIGNIN#*", "WEB#*"] },
      { table = "engine", actions = local.put, keys = ["SIGNIN#*", "WEB#*", "WORK#*"] },
      { table = "engine", actions = ["dynamodb:PutItem"], keys = ["A#*#C#*"] },
      { table = "engine", actions = ["dynamodb:UpdateItem"], keys = ["SEQ#*"] },
    ]
  }

  statements = {
    for who, uses in local.partitions : who => [
      for use in uses : {
        Effect    = "Allow"
        Action    = use.actions
        Resource  = [local.arns[use.table]]
        Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = use.keys } }
      }
    ]
  }

  policies = {
    operator = jsonencode({
      Version = "2012-10-17"
      Statement = concat(local.statements.operator, [{
        # New accounts get a wrapped key.
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:Encrypt"]
        Resource = [module.secrets.accounts_key_arn]
      }])
    })
    worker = jsonencode({
      Version = "2012-10-17"
      Statement = concat(local.statements.worker, [{
        # For commands.
        Effect   = "Allow"
        Action   = ["sqs:GetQueueUrl", "sqs:SendMessage"]
        Resource = module.queues.shard_arns
      }])
    })
  }
}

# To be attached to the operators' roles.
resource "aws_iam_policy" "operator" {
  name        = "${var.name}-operator"
  description = "The administrator's commands of `hantar --aws`."
  policy      = local.policies.operator
}

# Its access key is made by `aws iam create-access-key` and goes straight into `wrangler secret put`: not into the state.
resource "aws_iam_user" "worker" {
  count = var.worker ? 1 : 0

  name = "${var.name}-worker"
  # With the keys that were made for it by hand. The emulator does not know all that is looked for then.
  force_destroy = !local.emulated
}

resource "aws_iam_user_policy" "worker" {
  count = var.worker ? 1 : 0

  name   = "what-it-does"
  user   = aws_iam_user.worker[0].name
  policy = local.policies.worker
}
