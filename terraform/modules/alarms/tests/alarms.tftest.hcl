mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name           = "hantar"
  emails         = ["owner@example.com"]
  runbooks       = "https://example.com/runbooks"
  namespace      = "Hantar/hantar"
  data_key_arn   = "arn:aws:kms:ap-southeast-1:123456789012:key/data"
  tables         = ["hantar-business", "hantar-engine"]
  shard_queues   = [for shard in range(64) : "hantar-shard-${shard}"]
  queues         = { webhooks = "hantar-webhooks", jobs = "hantar-jobs", parked = "hantar-parked", dead = "hantar-dead" }
  functions      = { api = "hantar-api", relay = "hantar-relay", counts = "hantar-counts", webhooks = "hantar-webhooks", jobs = "hantar-jobs", timers = "hantar-timers" }
  host_log_group = "/ecs/hantar-device-host"
  api_id         = "abc"
  fleet          = { cluster = "hantar", service = "hantar-device-host" }
  limits         = { shards_taken = 256 }
  emulated       = false
}

run "every_alarm_tells_somebody" {
  assert {
    condition     = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.missing)) : alarm.alarm_actions == toset([aws_sns_topic.this.arn])])
    error_message = "an alarm that nobody hears"
  }
  assert {
    condition     = aws_sns_topic_subscription.this["owner@example.com"].topic_arn == aws_sns_topic.this.arn && aws_sns_topic.this.kms_master_key_id == var.data_key_arn
    error_message = "nobody subscribed, or a plain topic"
  }
}

run "every_alarm_has_a_page_that_is_there" {
  assert {
    condition     = alltrue([for page in values(output.pages) : fileexists("../../../infra/runbooks/${page}.md")])
    error_message = "a page is missing in infra/runbooks"
  }
  assert {
    condition     = alltrue([for name, alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_description == "https://example.com/runbooks/${output.pages[name]}.md"])
    error_message = "an alarm that leads nowhere"
  }
}

run "what_can_go_wrong_is_watched" {
  assert {
    condition     = toset(values(output.pages)) == toset(["dead-letters", "errors", "lease-churn", "queue-age", "relay-behind", "shards-unowned", "silent-devices", "sweeps", "throttles", "unacked-messages"])
    error_message = "other alarms"
  }
  assert {
    condition = toset(flatten([
      for name, alarm in aws_cloudwatch_metric_alarm.this : [for query in alarm.metric_query : [for metric in query.metric : metric.dimensions.QueueName]] if startswith(name, "queue-age-")
    ])) == toset(var.shard_queues)
    error_message = "a shard that nobody looks at"
  }
  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.this) : length(alarm.metric_query) <= 11 && length(alarm.metric_query) >= 2])
    error_message = "more metrics than an alarm takes, or none"
  }
  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.missing) : alarm.treat_missing_data == "breaching" && alarm.comparison_operator == "LessThanThreshold"])
    error_message = "what stops is not noticed"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.missing["shards-unowned"].threshold == 64
    error_message = "a shard may be nobody's"
  }
}

run "metrics_from_logs_are_the_ones_that_are_watched" {
  assert {
    condition = length(setsubtract(
      toset(flatten([for alarm in values(aws_cloudwatch_metric_alarm.this) : [for query in alarm.metric_query : [for metric in query.metric : metric.metric_name if metric.namespace == var.namespace]]])),
      toset(concat([for filter in values(aws_cloudwatch_log_metric_filter.standing) : filter.metric_transformation[0].name], [aws_cloudwatch_log_metric_filter.taken.metric_transformation[0].name])),
    )) == 0
    error_message = "an alarm on a metric that nobody makes"
  }
}

run "the_dashboard_is_whole" {
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 12
    error_message = "other widgets"
  }
  assert {
    condition     = alltrue([for queue in var.shard_queues : strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "\"${queue}\"")])
    error_message = "a shard is missing"
  }
}

run "an_emulator_gets_no_alarms" {
  variables {
    emulated = true
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) + length(aws_cloudwatch_metric_alarm.missing) == 0
    error_message = "they never re-plan clean there"
  }
}
