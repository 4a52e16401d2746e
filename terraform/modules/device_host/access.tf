# What a host may do (its task role), and what ECS may do to start one (the execution role).

locals {
  read  = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
  put   = ["dynamodb:PutItem"]
  write = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]

  partitions = [
    { table = "business", actions = local.read, keys = ["A#*"] },
    { table = "business", actions = local.write, keys = ["A#*"] },
    { table = "engine", actions = local.read, keys = ["D#*", "HEARTBEATS", "LEASES", "SETTINGS", "SHARD#*", "VERSION"] },
    { table = "engine", actions = local.write, keys = ["D#*", "HEARTBEATS", "LEASES", "VERSION"] },
    { table = "engine", actions = local.put, keys = ["SETTINGS"] },
    # Commands, taken and answered.
    { table = "engine", actions = ["dynamodb:UpdateItem"], keys = ["A#*#C#*"] },
    # Numbers for messages received.
    { table = "engine", actions = ["dynamodb:UpdateItem"], keys = ["SEQ#MESSAGES#*"] },
  ]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        for use in local.partitions : {
          Effect    = "Allow"
          Action    = use.actions
          Resource  = [var.tables[use.table]]
          Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = use.keys } }
        }
      ],
      [
        {
          Effect   = "Allow"
          Action   = ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
          Resource = var.queues.shards
        },
        {
          Effect   = "Allow"
          Action   = ["sqs:GetQueueUrl", "sqs:SendMessage"]
          Resource = [var.queues.parked]
        },
        {
          # The files in the bucket are encrypted with the other key.
          Effect   = "Allow"
          Action   = ["kms:Decrypt"]
          Resource = [var.accounts_key_arn, var.data_key_arn]
        },
        {
          # Files that messages carry.
          Effect   = "Allow"
          Action   = ["s3:GetObject"]
          Resource = ["${var.bucket_arn}/media/*"]
        },
        {
          # Without it a file that is not there looks like one that may not be read.
          Effect   = "Allow"
          Action   = ["s3:ListBucket"]
          Resource = [var.bucket_arn]
        },
      ],
    )
  })

  starting_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = [aws_ecr_repository.this.arn]
        },
        {
          # Signing in to ECR knows no narrower resource.
          Effect   = "Allow"
          Action   = ["ecr:GetAuthorizationToken"]
          Resource = ["*"]
        },
        {
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["${aws_cloudwatch_log_group.this.arn}:*"]
        },
      ],
      length(var.secrets) == 0 ? [] : [
        {
          Effect   = "Allow"
          Action   = ["secretsmanager:GetSecretValue"]
          Resource = values(var.secrets)
        },
      ],
    )
  })

  by_tasks = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role" "task" {
  name               = "${var.name}-host"
  assume_role_policy = local.by_tasks
}

resource "aws_iam_role_policy" "task" {
  name   = "what-it-does"
  role   = aws_iam_role.task.id
  policy = local.policy
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-host-start"
  assume_role_policy = local.by_tasks
}

resource "aws_iam_role_policy" "execution" {
  name   = "start-a-host"
  role   = aws_iam_role.execution.id
  policy = local.starting_policy
}
