# How many hosts there are: so many that each has about `devices_per_host` devices, and one more while doorbells wait.

locals {
  namespace = "Hantar/${var.name}"

  # An alarm may compute over ten metrics at most.
  shard_groups = { for index, group in chunklist(var.queues.shard_names, 10) : tostring(index) => group }
}

# Each host says once a minute how it stands; the average over hosts is what is steered by.
resource "aws_cloudwatch_log_metric_filter" "standing" {
  for_each = toset(["devices", "connected", "shards"])

  name           = "${var.name}-host-${each.key}"
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = "{ $.fields.message = \"standing\" }"

  metric_transformation {
    namespace = local.namespace
    name      = "Host${title(each.key)}"
    value     = "$.fields.${each.key}"
  }
}

resource "aws_appautoscaling_target" "this" {
  count = var.emulated ? 0 : 1

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.this.name}"
  min_capacity       = var.hosts.min
  max_capacity       = var.hosts.max
}

resource "aws_appautoscaling_policy" "devices" {
  count = var.emulated ? 0 : 1

  name               = "${var.name}-devices"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[0].resource_id

  target_tracking_scaling_policy_configuration {
    target_value = var.devices_per_host
    # A host that goes makes its devices connect anew elsewhere: not for every dip.
    scale_in_cooldown  = 1800
    scale_out_cooldown = 120

    customized_metric_specification {
      namespace   = local.namespace
      metric_name = "HostDevices"
      statistic   = "Average"
    }
  }
}

resource "aws_appautoscaling_policy" "queue_age" {
  count = var.emulated ? 0 : 1

  name               = "${var.name}-queue-age"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[0].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 300

    step_adjustment {
      metric_interval_lower_bound = 0
      scaling_adjustment          = 1
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "queue_age" {
  for_each = var.emulated ? {} : local.shard_groups

  alarm_name          = "${var.name}-hosts-too-few-${each.key}"
  alarm_description   = "Doorbells of shards wait for 30 s: another host is started."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 30
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.queue_age[0].arn]

  metric_query {
    id          = "oldest"
    expression  = "MAX(METRICS())"
    label       = "oldest doorbell"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = each.value
    content {
      id = "shard${metric_query.key}"
      metric {
        namespace   = "AWS/SQS"
        metric_name = "ApproximateAgeOfOldestMessage"
        dimensions  = { QueueName = metric_query.value }
        stat        = "Maximum"
        period      = 60
      }
    }
  }
}
