mock_provider "aws" {
  source = "../../mocks"
}

variables {
  prefix = "hantar"
  shards = 64
}

run "there_is_a_queue_for_each_shard_and_each_kind_of_job" {
  assert {
    condition     = toset(keys(aws_sqs_queue.worked)) == toset(concat([for shard in range(64) : "shard-${shard}"], ["webhooks", "jobs"]))
    error_message = "other queues"
  }
  assert {
    condition     = alltrue([for key, queue in aws_sqs_queue.worked : queue.name == "hantar-${key}"]) && aws_sqs_queue.dead.name == "hantar-dead" && aws_sqs_queue.parked.name == "hantar-parked"
    error_message = "names that SqsQueues does not look for"
  }
}

run "every_queue_is_encrypted_and_takes_tls_only" {
  assert {
    condition     = alltrue([for queue in concat(values(aws_sqs_queue.worked), [aws_sqs_queue.dead, aws_sqs_queue.parked]) : queue.sqs_managed_sse_enabled])
    error_message = "not encrypted"
  }
  assert {
    condition = alltrue([
      for queue in concat(values(aws_sqs_queue.worked), [aws_sqs_queue.dead, aws_sqs_queue.parked]) :
      alltrue([for statement in jsondecode(queue.policy).Statement : statement.Effect == "Deny" && statement.Condition.Bool["aws:SecureTransport"] == "false" && endswith(statement.Resource, ":${queue.name}")])
    ])
    error_message = "takes plain text"
  }
}

run "what_is_received_too_often_goes_to_the_dead_letters" {
  assert {
    condition     = alltrue([for queue in values(aws_sqs_queue.worked) : jsondecode(queue.redrive_policy) == { deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 20 }])
    error_message = "no redrive, or another one than shared/queues/src/sqs.rs makes"
  }
  assert {
    condition     = alltrue([for queue in values(aws_sqs_queue.worked) : queue.visibility_timeout_seconds == 180 && queue.message_retention_seconds == 1209600])
    error_message = "other times than shared/queues/src/sqs.rs gives"
  }
}

run "few_sources_of_dead_letters_are_named_and_many_are_not" {
  variables {
    shards = 4
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.dead.redrive_allow_policy).redrivePermission == "byQueue" && length(jsondecode(aws_sqs_queue.dead.redrive_allow_policy).sourceQueueArns) == 6
    error_message = "any queue may send its dead letters here"
  }
}

run "a_number_of_shards_must_be_one" {
  command = plan
  variables {
    shards = 0
  }
  expect_failures = [var.shards]
}
