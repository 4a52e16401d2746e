mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name             = "hantar"
  zip_folder       = "../../mocks/zips"
  architecture     = "arm64"
  environment      = { HANTAR_LOG = "info" }
  environment_of   = { api = { HANTAR_PUBLIC_URL = "https://api.example.com" } }
  log_days         = 30
  data_key_arn     = "arn:aws:kms:ap-southeast-1:123456789012:key/data"
  accounts_key_arn = "arn:aws:kms:ap-southeast-1:123456789012:key/accounts"
  bucket_arn       = "arn:aws:s3:::hantar-blobs-123456789012"
  tables = {
    business = "arn:aws:dynamodb:ap-southeast-1:123456789012:table/business"
    engine   = "arn:aws:dynamodb:ap-southeast-1:123456789012:table/engine"
    stream   = "arn:aws:dynamodb:ap-southeast-1:123456789012:table/business/stream/1"
  }
  queues = {
    shards   = ["arn:aws:sqs:ap-southeast-1:123456789012:shard-0", "arn:aws:sqs:ap-southeast-1:123456789012:shard-1"]
    webhooks = "arn:aws:sqs:ap-southeast-1:123456789012:webhooks"
    jobs     = "arn:aws:sqs:ap-southeast-1:123456789012:jobs"
    parked   = "arn:aws:sqs:ap-southeast-1:123456789012:parked"
    dead     = "arn:aws:sqs:ap-southeast-1:123456789012:dead"
  }
}

run "no_policy_allows_every_action_or_every_resource" {
  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_role_policy.this), [aws_iam_role_policy.scheduler]) : [
        for statement in jsondecode(policy.policy).Statement : concat(
          [for action in statement.Action : !strcontains(action, "*")],
          [for resource in statement.Resource : startswith(resource, "arn:")],
        )
      ]
    ]))
    error_message = "a policy with a wildcard"
  }
  assert {
    condition = alltrue(flatten([
      for policy in values(aws_iam_role_policy.this) : [
        for statement in jsondecode(policy.policy).Statement :
        can(statement.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]) && !contains(statement.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], "*")
        if anytrue([for resource in statement.Resource : endswith(resource, ":table/business") || endswith(resource, ":table/engine")])
      ]
    ]))
    error_message = "a table without a bound on partitions"
  }
  assert {
    condition     = !strcontains(join("", [for policy in values(aws_iam_role_policy.this) : policy.policy]), "dynamodb:Scan")
    error_message = "a scan passes over bounds on partitions"
  }
}

run "each_function_may_do_its_own_work_only" {
  assert {
    condition     = length(toset([for function in keys(aws_lambda_function.this) : aws_iam_role.this[function].name])) == 6
    error_message = "functions share a role"
  }
  assert {
    condition     = toset([for function, policy in aws_iam_role_policy.this : function if strcontains(policy.policy, "key/accounts")]) == toset(["api", "webhooks"])
    error_message = "others than those that open secrets may unwrap accounts' keys"
  }
  assert {
    condition     = toset([for function, policy in aws_iam_role_policy.this : function if strcontains(policy.policy, "s3:")]) == toset(["api", "jobs"])
    error_message = "others than those that sign addresses and do long work reach the bucket"
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.this["api"].policy, "s3:DeleteObject")
    error_message = "the api deletes files"
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this["api"].policy).Statement :
      toset(statement.Action) == toset(["sqs:GetQueueUrl", "sqs:SendMessage"]) && toset(statement.Resource) == toset(concat(var.queues.shards, [var.queues.jobs]))
      if anytrue([for action in statement.Action : startswith(action, "sqs:")])
    ])
    error_message = "the api rings at shards for its commands and for long work, and does nothing else with queues"
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this["relay"].policy).Statement :
      statement.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] == ["A#*"]
      if contains(statement.Action, "dynamodb:PutItem") && contains(statement.Resource, var.tables.business)
    ])
    error_message = "the relay writes deliveries, consents and answers of accounts, and nothing else"
  }
  assert {
    condition     = toset([for function, policy in aws_iam_role_policy.this : function if strcontains(policy.policy, "\"D#*\"")]) == toset(["jobs"])
    error_message = "others than the one that ends accounts reach into devices' keys"
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this["jobs"].policy).Statement :
      toset(statement.Action) == toset(["dynamodb:DeleteItem", "dynamodb:Query"])
      if contains(try(statement.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], []), "D#*")
    ])
    error_message = "devices' keys are found and deleted, and never written"
  }
}

run "letters_come_from_verified_identities_alone" {
  variables {
    mail_identities = ["arn:aws:ses:ap-southeast-1:123456789012:identity/example.com"]
  }

  assert {
    condition     = toset([for function, policy in aws_iam_role_policy.this : function if strcontains(policy.policy, "ses:SendEmail")]) == toset(["api", "jobs"])
    error_message = "others than those that write letters may send them"
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this["api"].policy).Statement :
      toset(statement.Resource) == toset(var.mail_identities) if contains(statement.Action, "ses:SendEmail")
    ])
    error_message = "letters may come from any address"
  }
}

run "functions_are_what_the_zips_were_built_for" {
  assert {
    condition     = alltrue([for function in values(aws_lambda_function.this) : function.architectures == tolist(["arm64"]) && function.runtime == "provided.al2023" && function.handler == "bootstrap"])
    error_message = "another runtime"
  }
  assert {
    condition     = aws_lambda_function.this["api"].environment[0].variables == tomap({ HANTAR_LOG = "info", HANTAR_PUBLIC_URL = "https://api.example.com" }) && aws_lambda_function.this["relay"].environment[0].variables == tomap({ HANTAR_LOG = "info" })
    error_message = "other variables"
  }
}

run "logs_are_encrypted_and_end" {
  assert {
    condition     = alltrue([for group in values(aws_cloudwatch_log_group.this) : group.retention_in_days == 30 && group.kms_key_id == var.data_key_arn])
    error_message = "logs that are plain or kept for ever"
  }
  assert {
    condition     = alltrue([for function, configured in aws_lambda_function.this : configured.logging_config[0].log_group == "/aws/lambda/hantar-${function}"])
    error_message = "a function logs elsewhere"
  }
}

run "a_batch_of_the_stream_is_replayed_from_its_lowest_failure" {
  assert {
    condition     = alltrue([for stream in values(aws_lambda_event_source_mapping.stream) : stream.function_response_types == toset(["ReportBatchItemFailures"]) && stream.bisect_batch_on_function_error])
    error_message = "a whole batch fails for one record"
  }
  assert {
    condition     = alltrue([for stream in values(aws_lambda_event_source_mapping.stream) : stream.parallelization_factor == 1])
    error_message = "counts need one worker per stream shard"
  }
  assert {
    condition     = alltrue([for stream in values(aws_lambda_event_source_mapping.stream) : stream.starting_position == "TRIM_HORIZON" && stream.maximum_retry_attempts >= 100])
    error_message = "records would be passed over"
  }
  assert {
    condition     = alltrue([for stream in values(aws_lambda_event_source_mapping.stream) : stream.destination_config[0].on_failure[0].destination_arn == var.queues.dead])
    error_message = "what is given up is lost"
  }
}

run "a_doorbell_waits_for_nothing_and_counts_are_gathered_for_seconds" {
  assert {
    condition     = { for function, stream in aws_lambda_event_source_mapping.stream : function => stream.maximum_batching_window_in_seconds } == { relay = 0, counts = 5 }
    error_message = "other windows, or other readers than the two that a stream may have"
  }
}

run "the_stream_is_filtered_to_messages_and_devices_as_written" {
  assert {
    condition = { for function, stream in aws_lambda_event_source_mapping.stream : function => toset([for filter in stream.filter_criteria[0].filter : jsondecode(filter.pattern)]) } == {
      relay = toset([
        {
          eventName = ["INSERT", "MODIFY"]
          dynamodb  = { Keys = { pk = { S = [{ prefix = "A#" }] }, sk = { S = [{ prefix = "0" }, { prefix = "1" }, { prefix = "2" }, { prefix = "3" }, { prefix = "4" }, { prefix = "5" }, { prefix = "6" }, { prefix = "7" }, { prefix = "8" }, { prefix = "9" }] } } }
        },
        {
          eventName = ["INSERT", "MODIFY"]
          dynamodb  = { Keys = { sk = { S = [{ prefix = "DEVICE#" }] } } }
        },
      ])
      counts = toset([
        {
          eventName = ["INSERT", "MODIFY"]
          dynamodb  = { Keys = { pk = { S = [{ prefix = "A#" }] }, sk = { S = [{ prefix = "0" }, { prefix = "1" }, { prefix = "2" }, { prefix = "3" }, { prefix = "4" }, { prefix = "5" }, { prefix = "6" }, { prefix = "7" }, { prefix = "8" }, { prefix = "9" }] } } }
        },
      ])
    }
    error_message = "another filter than shared/store/src/stream.rs reads"
  }
}

run "queues_answer_for_each_job_by_itself" {
  assert {
    condition = alltrue([
      for mapping in [aws_lambda_event_source_mapping.webhooks, aws_lambda_event_source_mapping.jobs] :
      mapping.function_response_types == toset(["ReportBatchItemFailures"]) && mapping.scaling_config[0].maximum_concurrency >= 2
    ])
    error_message = "a whole batch fails for one job, or nothing bounds the functions"
  }
  assert {
    condition     = aws_lambda_function.this["webhooks"].timeout * 6 <= 180 && aws_lambda_function.this["jobs"].timeout * 6 <= 180
    error_message = "a queue must hide its jobs six times as long as the function may run"
  }
}

run "the_sweep_runs_every_minute" {
  assert {
    condition     = aws_scheduler_schedule.sweep.schedule_expression == "rate(1 minute)" && jsondecode(aws_scheduler_schedule.sweep.target[0].input) == { timer = "sweep" }
    error_message = "another timer"
  }
}
