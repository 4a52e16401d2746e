# The six functions. Each has a role, a policy and a log group of its own; what calls them is in triggers.tf and, for
# `api`, in the module edge.

locals {
  functions = {
    # An answer that a device host must give is waited for up to 10 s.
    api    = { memory = 256, timeout = 15 }
    relay  = { memory = 256, timeout = 60 }
    counts = { memory = 256, timeout = 60 }
    # Ten calls of up to 15 s side by side. The queue hides its jobs six times as long, as Lambda wants.
    webhooks = { memory = 256, timeout = 30 }
    # A step reads some thousand rows; a workbook is unpacked in memory. So much memory comes with a whole processor.
    jobs   = { memory = 1769, timeout = 30 }
    timers = { memory = 256, timeout = 300 }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = local.functions

  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = var.data_key_arn
}

resource "aws_iam_role" "this" {
  for_each = local.functions

  name = "${var.name}-${each.key}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.functions

  name   = "what-it-does"
  role   = aws_iam_role.this[each.key].id
  policy = local.policies[each.key]
}

resource "aws_lambda_function" "this" {
  for_each = local.functions

  function_name    = "${var.name}-${each.key}"
  role             = aws_iam_role.this[each.key].arn
  runtime          = "provided.al2023"
  architectures    = [var.architecture]
  handler          = "bootstrap"
  filename         = "${var.zip_folder}/${each.key}.zip"
  source_code_hash = filebase64sha256("${var.zip_folder}/${each.key}.zip")
  memory_size      = each.value.memory
  timeout          = each.value.timeout

  environment {
    variables = merge(var.environment, lookup(var.environment_of, each.key, {}))
  }

  logging_config {
    log_format = "JSON"
    # Lambda's own lines about each call would be most of the log, and its metrics say the same.
    system_log_level = "WARN"
    log_group        = aws_cloudwatch_log_group.this[each.key].name
  }

  # Without it the first calls of a new function could be refused.
  depends_on = [aws_iam_role_policy.this]
}
