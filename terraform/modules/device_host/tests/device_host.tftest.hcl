mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name             = "hantar"
  image            = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/hantar@sha256:aa"
  architecture     = "arm64"
  cpu              = 512
  memory           = 1024
  hosts            = { min = 2, max = 16 }
  devices_per_host = 1500
  environment      = { HANTAR_LOG = "info" }
  secrets          = { HANTAR_OTLP_URL = "arn:aws:secretsmanager:ap-southeast-1:123456789012:secret:otlp" }
  bucket_arn       = "arn:aws:s3:::hantar-blobs"
  log_days         = 30
  data_key_arn     = "arn:aws:kms:ap-southeast-1:123456789012:key/data"
  accounts_key_arn = "arn:aws:kms:ap-southeast-1:123456789012:key/accounts"
  disposable       = false
  emulated         = false
  tables = {
    business = "arn:aws:dynamodb:ap-southeast-1:123456789012:table/business"
    engine   = "arn:aws:dynamodb:ap-southeast-1:123456789012:table/engine"
  }
  queues = {
    shards      = [for shard in range(64) : "arn:aws:sqs:ap-southeast-1:123456789012:hantar-shard-${shard}"]
    shard_names = [for shard in range(64) : "hantar-shard-${shard}"]
    parked      = "arn:aws:sqs:ap-southeast-1:123456789012:hantar-parked"
  }
}

run "nobody_can_come_in" {
  assert {
    condition     = length(aws_security_group.host.ingress) == 0 && length(aws_default_security_group.this.ingress) == 0
    error_message = "open ingress"
  }
  assert {
    condition     = aws_vpc_security_group_egress_rule.tls.from_port == 443 && aws_vpc_security_group_egress_rule.tls.to_port == 443 && aws_vpc_security_group_egress_rule.tls.ip_protocol == "tcp"
    error_message = "hosts speak TLS only"
  }
  assert {
    condition     = aws_vpc_security_group_egress_rule.files.from_port == 8443 && aws_vpc_security_group_egress_rule.files.to_port == 8443 && aws_vpc_security_group_egress_rule.files.ip_protocol == "tcp"
    error_message = "files come by TLS, on the ports that addresses may name"
  }
  assert {
    condition     = length(aws_ecs_service.this.load_balancer) == 0 && !can(jsondecode(aws_ecs_task_definition.this.container_definitions)[0].portMappings)
    error_message = "a port is published"
  }
}

run "the_container_can_do_little" {
  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].readonlyRootFilesystem
    error_message = "its root can be written"
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].user == "65532:65532"
    error_message = "it runs as root"
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].linuxParameters.capabilities.drop == ["ALL"]
    error_message = "it keeps capabilities"
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].secrets == [{ name = "HANTAR_OTLP_URL", valueFrom = var.secrets.HANTAR_OTLP_URL }] && !strcontains(jsonencode(jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment), "OTLP")
    error_message = "a secret among the plain variables"
  }
}

run "hosts_follow_one_another_without_a_gap" {
  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].stopTimeout == 30
    error_message = "a host needs 25 s to leave"
  }
  assert {
    condition     = aws_ecs_service.this.deployment_circuit_breaker[0].enable && aws_ecs_service.this.deployment_circuit_breaker[0].rollback
    error_message = "a bad image stays"
  }
  assert {
    condition     = aws_ecs_service.this.deployment_minimum_healthy_percent == 100 && aws_ecs_service.this.deployment_maximum_percent == 200
    error_message = "old hosts leave before new ones are there"
  }
  assert {
    condition     = aws_ecs_service.this.launch_type == "FARGATE" && aws_ecs_task_definition.this.runtime_platform[0].cpu_architecture == "ARM64"
    error_message = "not Fargate on arm64"
  }
}

run "the_fleet_grows_with_devices_and_with_waiting_doorbells" {
  assert {
    condition     = length(aws_appautoscaling_target.this) == 1 && aws_appautoscaling_target.this[0].min_capacity == 2 && aws_appautoscaling_target.this[0].max_capacity == 16 && aws_appautoscaling_target.this[0].resource_id == "service/hantar/hantar-device-host"
    error_message = "no scaling target"
  }
  assert {
    condition     = aws_appautoscaling_policy.devices[0].target_tracking_scaling_policy_configuration[0].target_value == 1500
    error_message = "not steered by devices"
  }
  assert {
    condition = (
      aws_appautoscaling_policy.devices[0].target_tracking_scaling_policy_configuration[0].customized_metric_specification[0].metric_name == aws_cloudwatch_log_metric_filter.standing["devices"].metric_transformation[0].name
      && aws_appautoscaling_policy.devices[0].target_tracking_scaling_policy_configuration[0].customized_metric_specification[0].namespace == aws_cloudwatch_log_metric_filter.standing["devices"].metric_transformation[0].namespace
    )
    error_message = "steered by a metric that nobody makes"
  }
  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.queue_age) : alarm.alarm_actions == toset([aws_appautoscaling_policy.queue_age[0].arn])])
    error_message = "an alarm that starts no host"
  }
  assert {
    condition     = toset(flatten([for alarm in values(aws_cloudwatch_metric_alarm.queue_age) : [for query in alarm.metric_query : [for metric in query.metric : metric.dimensions.QueueName]]])) == toset(var.queues.shard_names)
    error_message = "a shard that nobody looks at"
  }
  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.queue_age) : length(alarm.metric_query) <= 11])
    error_message = "more metrics than an alarm takes"
  }
}

run "an_emulator_gets_no_scaling" {
  variables {
    emulated = true
  }

  assert {
    condition     = length(aws_appautoscaling_target.this) + length(aws_appautoscaling_policy.devices) + length(aws_appautoscaling_policy.queue_age) + length(aws_cloudwatch_metric_alarm.queue_age) == 0
    error_message = "it would fail there"
  }
}

run "no_policy_allows_every_action_or_every_resource" {
  assert {
    condition = alltrue(flatten([
      for policy in [aws_iam_role_policy.task, aws_iam_role_policy.execution] : [
        for statement in jsondecode(policy.policy).Statement : concat(
          [for action in statement.Action : !strcontains(action, "*")],
          # Signing in to ECR knows no narrower resource.
          [for resource in statement.Resource : startswith(resource, "arn:") || statement.Action == ["ecr:GetAuthorizationToken"]],
        )
      ]
    ]))
    error_message = "a policy with a wildcard"
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.task.policy).Statement :
      !contains(statement.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], "*")
      if anytrue([for action in statement.Action : startswith(action, "dynamodb:")])
    ])
    error_message = "a table without a bound on partitions"
  }
}
