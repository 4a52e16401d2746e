# What a person is woken for. Each alarm has a page in infra/runbooks that says what it means and what to do.

resource "aws_sns_topic" "this" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.data_key_arn
}

resource "aws_sns_topic_subscription" "this" {
  for_each = toset(var.emails)

  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = each.key
}

# Each host says once a minute how it stands; their sum is how the fleet stands. And every take-over of a shard.
resource "aws_cloudwatch_log_metric_filter" "standing" {
  for_each = { unacked = "Unacked", silent_devices = "SilentDevices" }

  name           = "${var.name}-${each.key}"
  log_group_name = var.host_log_group
  pattern        = "{ $.fields.message = \"standing\" }"

  metric_transformation {
    namespace = var.namespace
    name      = each.value
    value     = "$.fields.${each.key}"
  }
}

resource "aws_cloudwatch_log_metric_filter" "taken" {
  name           = "${var.name}-shards-taken"
  log_group_name = var.host_log_group
  pattern        = "\"a shard is taken\""

  metric_transformation {
    namespace     = var.namespace
    name          = "ShardsTaken"
    value         = "1"
    default_value = "0"
  }
}

locals {
  # Alarms over one metric or a few: `combine` says how.
  plain = {
    webhook-age = {
      page = "queue-age", combine = "MAX", above = var.limits.webhook_age_seconds, periods = 5, period = 60,
      metrics = [
        { namespace = "AWS/SQS", name = "ApproximateAgeOfOldestMessage", stat = "Maximum", dimensions = { QueueName = var.queues.webhooks } },
        { namespace = "AWS/SQS", name = "ApproximateAgeOfOldestMessage", stat = "Maximum", dimensions = { QueueName = var.queues.jobs } },
      ]
    }
    dead-letters = {
      page = "dead-letters", combine = "SUM", above = 0, periods = 1, period = 60,
      metrics = [
        { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", stat = "Maximum", dimensions = { QueueName = var.queues.dead } },
        { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", stat = "Maximum", dimensions = { QueueName = var.queues.parked } },
      ]
    }
    unacked-messages = {
      page    = "unacked-messages", combine = "SUM", above = var.limits.unacked_messages, periods = 5, period = 60,
      metrics = [{ namespace = var.namespace, name = "Unacked", stat = "Sum", dimensions = {} }]
    }
    silent-devices = {
      page    = "silent-devices", combine = "SUM", above = var.limits.silent_devices, periods = 5, period = 60,
      metrics = [{ namespace = var.namespace, name = "SilentDevices", stat = "Sum", dimensions = {} }]
    }
    table-throttles = {
      page = "throttles", combine = "SUM", above = 0, periods = 3, period = 60,
      metrics = [
        for pair in setproduct(var.tables, ["ReadThrottleEvents", "WriteThrottleEvents"]) :
        { namespace = "AWS/DynamoDB", name = pair[1], stat = "Sum", dimensions = { TableName = pair[0] } }
      ]
    }
    function-throttles = {
      page = "throttles", combine = "SUM", above = 0, periods = 3, period = 60,
      metrics = [
        for function in values(var.functions) :
        { namespace = "AWS/Lambda", name = "Throttles", stat = "Sum", dimensions = { FunctionName = function } }
      ]
    }
    lease-churn = {
      page    = "lease-churn", combine = "SUM", above = var.limits.shards_taken, periods = 1, period = 900,
      metrics = [{ namespace = var.namespace, name = "ShardsTaken", stat = "Sum", dimensions = {} }]
    }
    errors = {
      page = "errors", combine = "SUM", above = 5, periods = 2, period = 300,
      metrics = concat(
        [{ namespace = "AWS/ApiGateway", name = "5xx", stat = "Sum", dimensions = { ApiId = var.api_id } }],
        [
          for function in values(var.functions) :
          { namespace = "AWS/Lambda", name = "Errors", stat = "Sum", dimensions = { FunctionName = function } }
        ],
      )
    }
    relay-behind = {
      page = "relay-behind", combine = "MAX", above = var.limits.relay_behind_seconds * 1000, periods = 3, period = 60,
      metrics = [
        for function in [var.functions.relay, var.functions.counts] :
        { namespace = "AWS/Lambda", name = "IteratorAge", stat = "Maximum", dimensions = { FunctionName = function } }
      ]
    }
  }

  # An alarm may compute over ten metrics at most.
  shard_ages = {
    for index, group in chunklist(var.shard_queues, 10) : "queue-age-${index}" => {
      page = "queue-age", combine = "MAX", above = var.limits.queue_age_seconds, periods = 3, period = 60,
      metrics = [
        for queue in group :
        { namespace = "AWS/SQS", name = "ApproximateAgeOfOldestMessage", stat = "Maximum", dimensions = { QueueName = queue } }
      ]
    }
  }

  alarms = merge(local.plain, local.shard_ages)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = var.emulated ? {} : local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${var.runbooks}/${each.value.page}.md"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  metric_query {
    id          = "all"
    expression  = "${each.value.combine}(METRICS())"
    label       = each.key
    return_data = true
  }

  dynamic "metric_query" {
    for_each = each.value.metrics
    content {
      id = "m${metric_query.key}"
      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        stat        = metric_query.value.stat
        period      = each.value.period
      }
    }
  }
}

# The other way round: it is an alarm when nothing happens.
locals {
  missing = {
    # Sweeps find lost doorbells, and call silence by its name.
    sweeps = { namespace = "AWS/Lambda", metric = "Invocations", dimensions = { FunctionName = var.functions.timers }, least = 1, period = 300, periods = 1 }
    # Shards that no host works for. Each host tells its share once a minute.
    shards-unowned = { namespace = var.namespace, metric = "HostShards", dimensions = {}, least = length(var.shard_queues), period = 60, periods = 5 }
  }
}

resource "aws_cloudwatch_metric_alarm" "missing" {
  for_each = var.emulated ? {} : local.missing

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${var.runbooks}/${each.key}.md"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = "Sum"
  period              = each.value.period
  evaluation_periods  = each.value.periods
  comparison_operator = "LessThanThreshold"
  threshold           = each.value.least
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

data "aws_region" "this" {}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = templatefile("${path.module}/../../../infra/dashboards/hantar.json.tftpl", {
    region       = data.aws_region.this.name
    namespace    = var.namespace
    tables       = var.tables
    shard_queues = var.shard_queues
    queues       = var.queues
    functions    = var.functions
    api_id       = var.api_id
    fleet        = var.fleet
  })
}
