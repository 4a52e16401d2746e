# What wakes the functions.

locals {
  # Messages, whose sort keys are numbers, and devices, as they were written and not deleted. Only operators that every
  # version of the filter rules has.
  changes = {
    messages = {
      eventName = ["INSERT", "MODIFY"]
      dynamodb = {
        Keys = {
          pk = { S = [{ prefix = "A#" }] }
          sk = { S = [for digit in range(10) : { prefix = tostring(digit) }] }
        }
      }
    }
    devices = {
      eventName = ["INSERT", "MODIFY"]
      dynamodb  = { Keys = { sk = { S = [{ prefix = "DEVICE#" }] } } }
    }
  }

  # Both readers that a stream may have. A doorbell waits for nothing. A count is one write for all that a batch changes, and a
  # message changes some four times within seconds.
  readers = {
    relay  = { window = 0, changes = ["messages", "devices"] }
    counts = { window = 5, changes = ["messages"] }
  }
}

# One worker per stream shard, in order: counts remember how far each stream shard was counted. What cannot be read is parked
# by the functions themselves, so a batch fails only when a table or queue does not answer, and that is waited out for half
# a day before the batch is given up and named in the dead letters.
resource "aws_lambda_event_source_mapping" "stream" {
  for_each = local.readers

  event_source_arn                   = var.tables.stream
  function_name                      = aws_lambda_function.this[each.key].arn
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = 100
  parallelization_factor             = 1
  maximum_batching_window_in_seconds = each.value.window
  bisect_batch_on_function_error     = true
  maximum_retry_attempts             = 1000
  maximum_record_age_in_seconds      = 12 * 3600
  function_response_types            = ["ReportBatchItemFailures"]

  filter_criteria {
    dynamic "filter" {
      for_each = each.value.changes
      content {
        pattern = jsonencode(local.changes[filter.value])
      }
    }
  }

  destination_config {
    on_failure {
      destination_arn = var.queues.dead
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_event_source_mapping" "webhooks" {
  event_source_arn        = var.queues.webhooks
  function_name           = aws_lambda_function.this["webhooks"].arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.webhook_concurrency
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_event_source_mapping" "jobs" {
  event_source_arn        = var.queues.jobs
  function_name           = aws_lambda_function.this["jobs"].arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 2
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_iam_role" "scheduler" {
  name = "${var.name}-scheduler"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  name = "wake-the-timers"
  role = aws_iam_role.scheduler.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [aws_lambda_function.this["timers"].arn]
    }]
  })
}

# A missed minute is made good by the next one, so nothing is tried twice.
resource "aws_scheduler_schedule" "sweep" {
  name                = "${var.name}-sweep"
  schedule_expression = "rate(1 minute)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this["timers"].arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode({ timer = "sweep" })

    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 0
    }
  }
}
